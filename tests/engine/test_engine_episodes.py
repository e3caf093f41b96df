"""What an episode keeps to from its first step on: what it speaks of, and what was still sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.statistics.mean import Mean
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Tell = Callable[[Iterable[Event]], list[str]]


def _events(rule: Rule, rows: Iterable[dict[str, float]]) -> list[Event]:
    """Log one row every ten steps."""
    engine = Engine([rule], RunDescription())
    return [
        event
        for number, row in enumerate(rows, start=1)
        for event in engine.observe(10 * number, admit(row))
    ]


@pytest.mark.parametrize(
    ("rule", "values", "first_step", "last_sound_step"),
    [
        ("{metric: x, threshold: {above: 1}}", [0, 0, 5], 30, 20),
        ("{metric: x, threshold: {above: 1}}", [5], 10, 0),
        ("{metric: x, threshold: {above: 1}, for: 3}", [0, 5, 5, 5], 20, 10),
        # Every value in the window had a part in the mean.
        ("{metric: x, statistic: mean, window: 3, threshold: {above: 1}}", [0, 0, 0, 0, 5], 50, 20),
        ("{metric: x, statistic: mean, window: 3, threshold: {above: 1}}", [5, 5, 5], 30, 0),
        # The longest window counts,
        (
            "all: [{metric: x, threshold: {above: 1}}, "
            "{metric: x, statistic: mean, window: 2, threshold: {above: 1}}]",
            [0, 0, 0, 5],
            40,
            20,
        ),
        # but not that of an alternative that does not hold.
        (
            "any: [{metric: x, threshold: {above: 1}}, "
            "{metric: x, statistic: mean, window: 2, threshold: {above: 9}}]",
            [0, 0, 0, 5],
            40,
            30,
        ),
    ],
)
def test_the_last_sound_step_is_the_newest_whose_data_had_no_part(
    load_rules: LoadRules, rule: str, values: list[float], first_step: int, last_sound_step: int
) -> None:
    [fired] = _events(load_rules(rule)[0], [{"x": value} for value in values])
    assert isinstance(fired, InsightFired)
    assert (fired.first_step, fired.last_sound_step) == (first_step, last_sound_step)


def test_an_episode_speaks_of_one_metric_from_beginning_to_end(load_rules: LoadRules) -> None:
    """Its worst value is no mixture of two metrics, whichever of them holds later."""
    (rule,) = load_rules(
        """
        any:
          - {metric: x, threshold: {above: 1}}
          - {metric: y, threshold: {above: 100}}
        keep_firing_for: 1
        """
    )
    rows = [{"x": 0, "y": 200}, {"x": 5, "y": 300}, {"x": 7, "y": 0}, {"x": 0, "y": 0}]
    fired, closed = _events(rule, [{k: float(v) for k, v in row.items()} for row in rows])
    assert isinstance(fired, InsightFired)
    assert isinstance(closed, InsightClosed)
    assert (fired.metric, closed.worst, closed.last_step) == ("y", 300.0, 30)


def test_the_window_in_a_message_is_that_of_the_comparison_it_speaks_of(
    load_rules: LoadRules,
) -> None:
    (rule,) = load_rules(
        """
        any:
          - {metric: x, statistic: mean, window: 2, threshold: {above: 100}}
          - {metric: x, statistic: mean, window: 3, threshold: {above: 1}}
        message: "{value:.0f} over {window}"
        """
    )
    [fired] = _events(rule, [{"x": 2.0}] * 3)
    assert isinstance(fired, InsightFired)
    assert fired.message == "2 over 3"


def test_a_run_ends_once(load_rules: LoadRules, tell: Tell) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 1}}"), RunDescription())
    engine.observe(1, admit({"x": 5}))
    assert tell(engine.finish(2)) == ["2: a#1 still fires"]
    assert engine.finish(3) == ()


def test_the_rules_that_judged_are_counted(load_rules: LoadRules) -> None:
    rules = load_rules(
        "{metric: x, threshold: {above: 1}}",
        "{metric: x, statistic: mean, window: 2, threshold: {above: 1}}",
        "{metric: y, threshold: {above: 1}}",
    )
    engine = Engine(rules, RunDescription())
    assert engine.rules_judged == 0
    engine.observe(1, admit({"x": 0}))
    assert engine.rules_judged == 1


def test_a_rule_that_had_too_few_observations_to_fire_is_told(load_rules: LoadRules) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 1}, for: 3}"), RunDescription())
    for step in (1, 2):
        engine.observe(step, admit({"x": 5}))
    reason = "judged 2 of the 3 observations in a row that it needs"
    assert engine.coverage() == (NotRun("a", reason),)
    engine.observe(3, admit({"x": 0}))
    assert engine.coverage() == ()


def test_a_statistic_that_fails_takes_out_the_rules_that_look_at_its_metric(
    load_rules: LoadRules, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would go on with what it said last."""
    rules = load_rules(
        "{metric: x, statistic: mean, window: 1, threshold: {above: 1}}",
        "all: [{metric: y, threshold: {above: 1}}, {metric: x, threshold: {above: 1}}]",
        "{metric: y, threshold: {above: 1}}",
    )

    def fail(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(Mean, "update", fail)
    containment = Containment()
    engine = Engine(rules, RunDescription(), containment)
    assert tell(engine.observe(1, admit({"x": 5, "y": 5}))) == ["1: c#1 fires"]
    assert engine.observe(2, admit({"x": 5, "y": 5})) == ()
    assert list(containment.failures) == ["statistics of x"]
    assert engine.coverage() == (
        NotRun("a", "it failed inside: OSError: broken"),
        NotRun("b", "it failed inside: OSError: broken"),
    )
