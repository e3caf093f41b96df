"""Two levels in one rule: one insight that rises, instead of two rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    episodes,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.stop import StopPolicy
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]

BY_THRESHOLD = """
metric: x
threshold: {above: 1}
severity: medium
keep_firing_for: 1
escalation: {severity: high, threshold: {above: 10}}
message: "{metric} is {value} ({threshold})"
"""
BY_LABEL = """
all:
  - {metric: x, threshold: {above: 1}, label: rise}
  - {metric: y, threshold: {above: 1}, label: other}
severity: medium
keep_firing_for: 1
escalation: {severity: high, label: rise, threshold: {above: 10}}
message: "{rise} and {other}"
"""
OF_ITS_OWN = """
metric: x
threshold: {above: 1}
severity: medium
keep_firing_for: 1
escalation: {severity: critical, metric: x, threshold: {non_finite: true}}
"""


def _events(rule: Rule, rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    engine = Engine([rule], RunDescription())
    return [event for step, row in enumerate(rows, 1) for event in engine.observe(step, admit(row))]


def _rows(*values: float) -> list[dict[str, float]]:
    return [{"x": value, "y": 5.0} for value in values]


@pytest.mark.parametrize("rule", [BY_THRESHOLD, BY_LABEL], ids=["threshold", "label"])
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([5, 50, 0], ["1: a#1 fires", "2: a#1 escalates to high", "3: a#1 resolves"]),
        # At once on the higher level: one event says it.
        ([50, 60, 0], ["1: a#1 fires", "3: a#1 resolves"]),
        # An insight rises once and does not sink.
        ([5, 50, 5, 50, 0], ["1: a#1 fires", "2: a#1 escalates to high", "5: a#1 resolves"]),
        (
            [5, 50, 0, 5, 50],
            [
                "1: a#1 fires",
                "2: a#1 escalates to high",
                "3: a#1 resolves",
                "4: a#2 fires",
                "5: a#2 escalates to high",
            ],
        ),
        ([5, 5, 0], ["1: a#1 fires", "3: a#1 resolves"]),
        ([0, 1, 0], []),
    ],
)
def test_an_insight_rises_once(
    story: Story, rule: str, values: list[float], told: list[str]
) -> None:
    assert story(rule, rows=_rows(*values)) == told


def test_the_part_with_another_label_must_hold_on_both_levels(story: Story) -> None:
    rows = [{"x": 50.0, "y": 0.0}, {"x": 50.0, "y": 5.0}]
    assert story(BY_LABEL, rows=rows) == ["2: a#1 fires"]


def test_a_second_level_with_a_condition_of_its_own_fires_without_the_first(story: Story) -> None:
    rows = [{"x": 0.0}, {"x": float("nan")}, {"x": 0.0}]
    assert story(OF_ITS_OWN, rows=rows) == ["2: a#1 fires", "3: a#1 resolves"]
    rows = [{"x": 5.0}, {"x": float("nan")}, {"x": 0.0}]
    assert story(OF_ITS_OWN, rows=rows) == [
        "1: a#1 fires",
        "2: a#1 escalates to critical",
        "3: a#1 resolves",
    ]


@pytest.mark.parametrize(
    ("second", "values", "told"),
    [
        # The rule's own for counts for both where the second level has none.
        ("", [5, 5, 50, 50, 50], ["3: a#1 fires", "5: a#1 escalates to high"]),
        ("", [50, 50, 50], ["3: a#1 fires"]),
        # Quicker: the first value on the higher level is enough.
        (", for: 1", [5, 50, 5], ["2: a#1 fires"]),
        (", for: 1", [5, 5, 5, 50], ["3: a#1 fires", "4: a#1 escalates to high"]),
        # Slower, and consecutive.
        (", for: 2", [5, 5, 50, 5, 50, 50], ["3: a#1 fires", "6: a#1 escalates to high"]),
        # A row without a number neither counts nor breaks the row.
        (
            ", for: 2",
            [5, 5, 5, 50, float("nan"), 50],
            ["3: a#1 fires", "6: a#1 escalates to high"],
        ),
    ],
)
def test_each_level_has_a_for_of_its_own(
    story: Story, second: str, values: list[float], told: list[str]
) -> None:
    rule = (
        "{metric: x, threshold: {above: 1}, for: 3, severity: low, "
        f"escalation: {{severity: high, threshold: {{above: 10}}{second}}}}}"
    )
    assert story(rule, rows=_rows(*values)) == told


def test_a_quick_second_level_fires_with_its_own_severity_and_message(
    load_rules: LoadRules,
) -> None:
    (rule,) = load_rules(
        """
        metric: x
        threshold: {above: 1}
        for: 3
        severity: low
        escalation: {severity: critical, threshold: {above: 10}, for: 1}
        message: "{value} ({threshold})"
        """
    )
    [fired] = _events(rule, _rows(0, 5, 50))
    assert isinstance(fired, InsightFired)
    assert fired.severity is Severity.CRITICAL
    assert (fired.first_step, fired.step, fired.last_sound_step) == (2, 3, 1)
    assert (fired.value, fired.threshold) == (50.0, "above 10")
    assert fired.message == "50 (above 10)"


def test_what_rises_says_what_it_is_now_and_keeps_its_worst_value(load_rules: LoadRules) -> None:
    (rule,) = load_rules(BY_THRESHOLD)
    fired, risen, closed = _events(rule, _rows(0, 5, 50, 70, 20, 0))
    assert isinstance(fired, InsightFired)
    assert (fired.severity, fired.message) == (Severity.MEDIUM, "x is 5 (above 1)")
    assert risen == InsightEscalated(
        insight="a#1",
        rule="a",
        severity=Severity.HIGH,
        step=3,
        last_sound_step=1,
        metric="x",
        value=50.0,
        reference=None,
        ratio=None,
        difference=None,
        threshold="above 10",
        message="x is 50 (above 10)",
    )
    assert closed == InsightClosed("a#1", "a", Severity.HIGH, 6, 2, 5, 4, 70.0, resolved=True)


def test_the_worst_value_is_that_of_the_first_level_throughout(load_rules: LoadRules) -> None:
    """The second level here looks at another metric, which must not be mixed in."""
    (rule,) = load_rules(
        """
        metric: x
        threshold: {above: 1}
        severity: medium
        keep_firing_for: 1
        escalation: {severity: high, metric: y, threshold: {above: 1}}
        """
    )
    rows = [{"x": 5.0, "y": 0.0}, {"x": 3.0, "y": 900.0}, {"x": 0.0, "y": 0.0}]
    _, risen, closed = _events(rule, rows)
    assert isinstance(risen, InsightEscalated)
    assert isinstance(closed, InsightClosed)
    assert (risen.metric, risen.value, closed.worst) == ("y", 900.0, 5.0)


def test_an_episode_has_the_severity_and_the_message_of_its_highest_level(
    load_rules: LoadRules,
) -> None:
    (rule,) = load_rules(BY_THRESHOLD)
    events = _events(rule, _rows(5, 50))
    [episode] = episodes(events)
    assert (episode.fired.severity, episode.severity) == (Severity.MEDIUM, Severity.HIGH)
    assert (episode.message, episode.last_step, episode.ongoing) == ("x is 50 (above 10)", 2, True)
    [before] = episodes(events[:1])
    assert (before.severity, before.message) == (Severity.MEDIUM, "x is 5 (above 1)")


def test_a_stop_at_high_is_asked_for_by_the_rise(load_rules: LoadRules) -> None:
    (rule,) = load_rules(BY_THRESHOLD)
    fired, risen = _events(rule, _rows(5, 50))
    policy = StopPolicy(Severity.HIGH)
    assert policy.choose([fired]) is None
    assert policy.choose([risen]) is risen
    assert policy.choose([fired, risen]) is risen
    assert StopPolicy(Severity.MEDIUM).choose([fired]) is fired
    assert StopPolicy(Severity.CRITICAL).choose([fired, risen]) is None


def test_the_highest_severity_of_a_rule_is_that_of_its_second_level(load_rules: LoadRules) -> None:
    plain, both = load_rules("{metric: x, threshold: {above: 1}, severity: low}", BY_THRESHOLD)
    assert (plain.highest_severity, both.highest_severity) == (Severity.LOW, Severity.HIGH)


def test_a_second_level_counts_anew_when_the_gate_opens_again(load_rules: LoadRules) -> None:
    (rule,) = load_rules(
        """
        metric: x
        threshold: {above: 1}
        severity: low
        learning_rate_phase: [decay]
        escalation: {severity: high, threshold: {above: 10}, for: 2}
        """
    )
    rates = [9, 8, 9, 8, 7]
    events = _events(rule, [{"x": 50.0, "learning_rate": rate} for rate in rates])
    told = [(event.step, type(event).__name__) for event in events]
    # Decaying at the steps 2, 4 and 5; at 3 the rate rose, so two in a row are 4 and 5.
    assert told == [(2, "InsightFired"), (5, "InsightEscalated")]
