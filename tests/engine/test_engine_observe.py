"""The engine: which rows count for which rule, in which order, and what an insight says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired, episodes
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]
Tell = Callable[[Iterable[Event]], list[str]]

HIGH = "{metric: x, threshold: {above: 1}, keep_firing_for: 2}"


def test_rows_without_the_metric_of_a_rule_do_not_count_for_it(story: Story) -> None:
    """Not for its window, not for ``for``, and not towards its end."""
    other = [{"y": 1}, {"eval_x": 0}, {"x": None}, {"x": float("nan")}, {"x": "text"}, {}]
    mean = "{metric: x, statistic: mean, window: 2, threshold: {above: 1}, for: 2}"
    assert story(mean, rows=[{"x": 5}, *other, {"x": 5}, *other, {"x": 5}]) == ["15: a#1 fires"]
    assert story(HIGH, rows=[{"x": 5}, {"x": 0}, *other]) == ["1: a#1 fires"]
    assert story(HIGH, rows=[{"x": 5}, {"x": 0}, *other, {"x": 0}]) == [
        "1: a#1 fires",
        "9: a#1 resolves",
    ]


def test_nothing_fires_before_its_window_is_full(story: Story) -> None:
    rules = [
        f"{{metric: x, statistic: {name}, window: 5, threshold: {{outside: [50, 60]}}}}"
        for name in ("mean", "median", "std", "zscore")
    ]
    rows = [{"x": value} for value in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert story(*rules, rows=rows[:4]) == []
    assert story(*rules, rows=rows) == [
        "5: a#1 fires",
        "5: b#1 fires",
        "5: c#1 fires",
        "6: d#1 fires",
    ]


def test_evaluation_rows_are_metrics_of_their_own(story: Story) -> None:
    rules = (
        "{metric: win_rate, threshold: {below: 0.5}}",
        "{metric: eval_win_rate, threshold: {below: 0.5}}",
    )
    rows = [
        {"rewards/accuracies": 0.9},
        {"eval_rewards/accuracies": 0.2},
        {"rewards/accuracies": 0.2},
    ]
    assert story(*rules, rows=rows, run=RunDescription("dpo")) == ["2: b#1 fires", "3: a#1 fires"]


def test_raw_canonical_and_derived_names_all_work(story: Story) -> None:
    rules = (
        "{metric: rewards/margins, threshold: {above: 0.3}}",
        "{metric: reward_margin, threshold: {above: 0.3}}",
        "{metric: reward_margin_nats, threshold: {above: 3}}",
        "{metric: eval_reward_margin_nats, threshold: {above: 3}}",
        "{metric: reward_margin, threshold: {non_finite: true}}",
        "{metric: reward_margin, threshold: {missing: true}}",
    )
    rows = [
        {"rewards/margins": 0.4},
        {"eval_rewards/margins": 0.4},
        {"rewards/margins": float("inf")},
        {"rewards/margins": None},
    ]
    assert story(*rules, rows=rows, run=RunDescription("dpo", {"beta": 0.1})) == [
        "1: a#1 fires",
        "1: b#1 fires",
        "1: c#1 fires",
        "2: d#1 fires",
        "3: e#1 fires",
        "4: f#1 fires",
    ]


def test_a_canonical_name_that_the_producer_logs_itself_wins(story: Story) -> None:
    rule = "{metric: win_rate, threshold: {above: 0.5}}"
    run = RunDescription("dpo")
    assert story(rule, rows=[{"rewards/accuracies": 0.9, "win_rate": 0.1}], run=run) == []
    assert story(rule, rows=[{"win_rate": 0.9, "rewards/accuracies": 0.1}], run=run) == [
        "1: a#1 fires"
    ]


def test_events_come_in_the_order_of_the_rules(story: Story) -> None:
    rules = (
        "{id: late, metric: z, threshold: {above: 1}, severity: low}",
        "{id: early, metric: a, threshold: {above: 1}, severity: critical}",
        "{id: both, all: [{metric: a, threshold: {above: 1}}, {metric: z, threshold: {above: 1}}]}",
    )
    for row in ({"a": 5, "z": 5}, {"z": 5, "a": 5}):
        assert story(*rules, rows=[row]) == [
            "1: late#1 fires",
            "1: early#1 fires",
            "1: both#1 fires",
        ]


def test_two_rows_of_one_step_are_two_observations(load_rules: LoadRules, tell: Tell) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 1}, for: 2}"), RunDescription())
    assert engine.observe(7, admit({"x": 2})) == ()
    assert tell(engine.observe(7, admit({"x": 3}))) == ["7: a#1 fires"]


def test_the_same_row_logged_again_at_its_step_says_nothing_new(
    load_rules: LoadRules, tell: Tell
) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 1}, for: 2}"), RunDescription())
    for _ in range(3):
        assert engine.observe(7, admit({"x": 2, "y": float("nan")})) == ()
    assert tell(engine.observe(8, admit({"x": 2, "y": float("nan")}))) == ["8: a#1 fires"]


def test_open_episodes_are_closed_at_the_end_without_being_resolved(
    load_rules: LoadRules, tell: Tell
) -> None:
    rules = load_rules(HIGH, HIGH.replace("x", "y"), "{metric: x, threshold: {above: 9}}")
    engine = Engine(rules, RunDescription())
    for step, x in enumerate([2, 4, 3, 0], start=1):
        engine.observe(step, admit({"x": x, "y": 0 if step > 1 else 5}))
    [closed] = engine.finish(10)
    assert tell([closed]) == ["10: a#1 still fires"]
    assert isinstance(closed, InsightClosed)
    assert (closed.first_step, closed.last_step, closed.observations) == (1, 3, 3)
    assert closed.worst == 4.0


def test_an_insight_says_all_there_is_to_say(load_rules: LoadRules) -> None:
    rule = """
    id: margin_fell
    title: The margin fell
    all:
      - {metric: x, statistic: mean, window: 2, threshold: {below: 0.5, relative_to: running_best}}
      - {metric: y, threshold: {above: "2 * beta"}, label: pace}
    for: 2
    keep_firing_for: 1
    severity: critical
    message: >-
      {metric} {value:.1f} is {ratio:.2f} of {reference} ({threshold})
      at {step} over {window}; {pace}
    remediation: [first, second]
    citation: [{title: A Paper, authors: Ann, year: 2024, arxiv: "2401.00001", supports: threshold}]
    threshold_origin: paper
    detects: [margin_collapse, win_rate_drop]
    """
    engine = Engine(load_rules(rule), RunDescription(None, {"beta": 0.25}))
    events: list[Event] = []
    for step, x in enumerate([8, 8, 2, 2, 0, 8], start=1):
        events += engine.observe(10 * step, admit({"x": x, "y": 1}))
    fired, closed = events
    assert fired == InsightFired(
        insight="margin_fell#1",
        rule="margin_fell",
        title="The margin fell",
        severity=Severity.CRITICAL,
        step=50,
        first_step=40,
        # The window of two that first held looks at steps 30 and 40.
        last_sound_step=20,
        metric="x",
        value=1.0,
        reference=8.0,
        ratio=0.125,
        difference=None,
        threshold="below 0.5 times its best so far",
        message="x 1.0 is 0.12 of 8 (below 0.5 times its best so far) at 50 over 2; 1",
        caused_by=None,
        remediation=("first", "second"),
        citations=('Ann (2024), "A Paper", arXiv:2401.00001',),
        threshold_origin="paper",
        detects=("margin_collapse", "win_rate_drop"),
        evidence={
            "x": ((10, 8.0), (20, 8.0), (30, 2.0), (40, 2.0), (50, 0.0)),
            "y": ((10, 1.0), (20, 1.0), (30, 1.0), (40, 1.0), (50, 1.0)),
        },
    )
    assert closed == InsightClosed(
        insight="margin_fell#1",
        rule="margin_fell",
        severity=Severity.CRITICAL,
        step=60,
        first_step=40,
        last_step=50,
        observations=2,
        worst=1.0,
        resolved=True,
    )


@pytest.mark.parametrize(
    ("threshold", "values", "worst"),
    [
        ("above: 1", [2, 9, 3, 0], 9.0),
        ("below: 1", [0.5, -3, 0, 5], -3.0),
        ("outside: [0, 1]", [5, -5, 3, 0], None),
        ("equals: 1", [1, 1, 0], None),
        ("non_finite: true", [float("inf"), float("nan"), 0], None),
    ],
)
def test_the_worst_value_of_an_episode_is_kept_where_a_direction_is_worse(
    load_rules: LoadRules, threshold: str, values: list[float], worst: float | None
) -> None:
    rule = f"{{metric: x, threshold: {{{threshold}}}, keep_firing_for: 1}}"
    engine = Engine(load_rules(rule), RunDescription())
    events = [event for x in values for event in engine.observe(1, admit({"x": x}))]
    assert isinstance(events[-1], InsightClosed)
    assert events[-1].worst == worst


def test_a_second_episode_has_a_number_and_a_worst_value_of_its_own(
    load_rules: LoadRules, tell: Tell
) -> None:
    rule = "{metric: x, threshold: {above: 1}, keep_firing_for: 1, for: 2}"
    engine = Engine(load_rules(rule), RunDescription())
    events: list[Event] = []
    for step, x in enumerate([9, 9, 0, 3, 4, 0], start=1):
        events += engine.observe(step, admit({"x": x}))
    assert tell(events) == ["2: a#1 fires", "3: a#1 resolves", "5: a#2 fires", "6: a#2 resolves"]
    first, second = episodes(events)
    assert first.closed is not None
    assert second.closed is not None
    assert (first.closed.worst, second.closed.worst) == (9.0, 4.0)
    assert (second.closed.first_step, second.closed.last_step) == (4, 5)


def test_the_evidence_is_the_newest_ten_observations(load_rules: LoadRules) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 30}}"), RunDescription())
    for step in range(1, 31):
        assert engine.observe(step, admit({"x": step})) == ()
    [fired] = engine.observe(31, admit({"x": 31}))
    assert isinstance(fired, InsightFired)
    assert fired.evidence == {"x": tuple((step, float(step)) for step in range(22, 32))}


def test_what_fires_because_nothing_holds_speaks_of_its_first_metric(load_rules: LoadRules) -> None:
    rule = """
    all:
      - not: {metric: x, threshold: {above: 5}}
      - not: {metric: y, threshold: {above: 5}}
    """
    engine = Engine(load_rules(rule), RunDescription())
    [fired] = engine.observe(1, admit({"y": 2, "x": 1}))
    assert isinstance(fired, InsightFired)
    assert (fired.metric, fired.value, fired.threshold) == ("x", 1.0, "above 5")


def test_the_last_sound_step_is_from_before_every_window_that_holds(load_rules: LoadRules) -> None:
    """Metrics that are logged at different rates fill their windows at different rates too."""
    rule = """
    all:
      - {metric: x, statistic: mean, window: 2, threshold: {above: 1}}
      - {metric: y, threshold: {above: 0}}
    """
    engine = Engine(load_rules(rule), RunDescription())
    rows = [{"x": 0, "y": 1}, {"y": 1}, {"y": 1}, {"x": 5, "y": 1}, {"y": 1}, {"x": 5, "y": 1}]
    events = [
        event for step, row in enumerate(rows, 1) for event in engine.observe(step, admit(row))
    ]
    [fired] = [event for event in events if isinstance(event, InsightFired)]
    # The mean of steps 1 and 4 is the first above 1, and nothing is older than step 1.
    assert (fired.step, fired.last_sound_step) == (4, 0)


def test_a_metric_that_was_never_logged_takes_no_part_in_the_last_sound_step(
    load_rules: LoadRules,
) -> None:
    rule = """
    any:
      - {metric: x, threshold: {non_finite: true}}
      - {metric: never, threshold: {non_finite: true}}
    """
    engine = Engine(load_rules(rule), RunDescription())
    assert engine.observe(10, admit({"x": 1})) == ()
    [fired] = engine.observe(20, admit({"x": float("nan")}))
    assert isinstance(fired, InsightFired)
    assert fired.last_sound_step == 10
