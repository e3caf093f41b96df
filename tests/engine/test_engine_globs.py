"""A rule over a glob becomes one detector for everything that the glob stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.fan_out import MAX_CAPTURES
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]

STD = "{metric: rewards/*/std, threshold: {below: 0.1}, keep_firing_for: 1}"


def test_each_metric_has_insights_of_its_own_from_its_first_row_on(story: Story) -> None:
    rows = [
        {"rewards/a/std": 1, "rewards/b/std": 0},
        {"rewards/a/std": 0, "rewards/b/std": 1},
        # Seen for the first time, and bad at once.
        {"rewards/late/std": 0, "rewards/b/std": 0},
    ]
    assert story(STD, rows=rows) == [
        "1: a[b]#1 fires",
        "2: a[a]#1 fires",
        "2: a[b]#1 resolves",
        "3: a[b]#2 fires",
        "3: a[late]#1 fires",
    ]


@pytest.mark.parametrize(
    ("metric", "matches"),
    [
        ("rewards/accuracy reward/std", True),
        ("rewards/a.b+c/std", True),
        # A slash is not crossed, something must stand there, and the rest must be the same.
        ("rewards/a/b/std", False),
        ("rewards//std", False),
        ("rewards/std", False),
        ("rewards/a/std/x", False),
        ("rewards/a/mean", False),
        ("eval_rewards/a/std", False),
        ("xrewards/a/std", False),
    ],
)
def test_what_a_star_stands_for(story: Story, metric: str, matches: bool) -> None:
    assert bool(story(STD, rows=[{metric: 0}])) is matches


def test_evaluation_keys_have_a_glob_of_their_own(story: Story) -> None:
    rule = STD.replace("rewards/", "eval_rewards/")
    rows = [{"rewards/a/std": 0}, {"eval_rewards/a/std": 0}]
    assert story(rule, rows=rows) == ["2: a[a]#1 fires"]


@pytest.mark.parametrize(
    ("pattern", "metric", "name"),
    [
        ("*_std", "x_std", "a[x]"),
        ("std_*", "std_y", "a[y]"),
        ("*", "anything", "a[anything]"),
        # Signs with a meaning in regular expressions have none here.
        ("a.b/*", "a.b/c", "a[c]"),
        ("a.b/*", "aXb/c", None),
        ("(*)", "(x)", "a[x]"),
    ],
)
def test_a_star_may_stand_anywhere(
    story: Story, pattern: str, metric: str, name: str | None
) -> None:
    rule = f"{{metric: '{pattern}', threshold: {{below: 0.1}}}}"
    assert story(rule, rows=[{metric: 0}]) == ([] if name is None else [f"1: {name}#1 fires"])


def test_every_star_of_a_rule_stands_for_the_same(story: Story) -> None:
    rule = """
    all:
      - {metric: rewards/*/std, threshold: {below: 0.1}}
      - {metric: rewards/*/mean, threshold: {below: 0.1}}
      - {metric: loss, threshold: {above: 1}}
    """
    rows = [
        {"loss": 5, "rewards/a/std": 0, "rewards/b/mean": 0},
        {"loss": 5, "rewards/a/mean": 0},
    ]
    assert story(rule, rows=rows) == ["2: a[a]#1 fires"]


def test_stars_in_references_correlations_and_second_levels_stand_for_it_too(
    load_rules: LoadRules, story: Story
) -> None:
    rule = """
    metric: "*/x"
    threshold: {above: 2, difference_from: {metric: "*/y", statistic: last}}
    severity: low
    escalation: {severity: high, metric: "*/z", threshold: {above: 9}}
    """
    rows = [{"p/x": 5, "p/y": 4, "q/x": 5, "q/y": 1}, {"q/z": 10}]
    assert story(rule, rows=rows) == ["1: a[q]#1 fires", "2: a[q]#1 escalates to high"]
    (paired,) = load_rules(
        "{metric: '*/x', statistic: {name: correlation, with: '*/y'}, window: 3, "
        "threshold: {above: 0.5}}"
    )
    engine = Engine([paired], RunDescription())
    values = [1.0, 2.0, 4.0, 3.0]
    told = [
        event.insight
        for step, value in enumerate(values, 1)
        for event in engine.observe(step, admit({"p/x": value, "p/y": value, "q/y": -value}))
    ]
    assert told == ["a[p]#1"]


def test_an_insight_names_the_metric_and_the_rule(load_rules: LoadRules) -> None:
    rules = load_rules("{metric: rewards/*/std, threshold: {below: 0.1}, message: '{metric}'}")
    [fired] = Engine(rules, RunDescription()).observe(1, admit({"rewards/f/std": 0}))
    assert isinstance(fired, InsightFired)
    assert (fired.insight, fired.rule) == ("a[f]#1", "a")
    assert (fired.metric, fired.message) == ("rewards/f/std", "rewards/f/std")
    assert set(fired.evidence) == {"rewards/f/std"}


def test_events_stand_in_the_order_of_the_rules_then_of_appearance(story: Story) -> None:
    rules = (
        "{metric: rewards/*/std, threshold: {below: 0.1}}",
        "{metric: loss, threshold: {above: 1}}",
        "{metric: rewards/*/mean, threshold: {below: 0.1}}",
    )
    rows = [
        {"rewards/z/std": 1, "loss": 0},
        {"loss": 5, "rewards/b/mean": 0, "rewards/z/std": 0, "rewards/a/std": 0},
    ]
    assert story(*rules, rows=rows) == [
        "2: a[z]#1 fires",
        "2: a[a]#1 fires",
        "2: b#1 fires",
        "2: c[b]#1 fires",
    ]


def test_signals_are_matched_from_their_first_row_on(story: Story) -> None:
    rules = (
        "{metric: rewards/*, threshold: {non_finite: true}}",
        "{metric: rewards/*, threshold: {missing: true}}",
    )
    rows = [{"rewards/a": float("nan")}, {"rewards/b": None}]
    assert story(*rules, rows=rows) == ["1: a[a]#1 fires", "2: b[b]#1 fires"]


def test_a_glob_that_matches_nothing_is_told(load_rules: LoadRules) -> None:
    engine = Engine(load_rules(STD), RunDescription())
    engine.observe(1, admit({"rewards/a/mean": 0}))
    assert engine.coverage() == (NotRun("a", "no metric like rewards/*/std was logged"),)
    engine.observe(2, admit({"rewards/a/std": 1}))
    assert engine.coverage() == ()


@pytest.mark.parametrize(("metrics", "left_out"), [(MAX_CAPTURES, False), (MAX_CAPTURES + 1, True)])
def test_a_rule_watches_at_most_a_hundred_metrics_and_says_so(
    load_rules: LoadRules, metrics: int, left_out: bool
) -> None:
    """A metric whose name holds the step must not make the engine grow."""
    engine = Engine(load_rules(STD), RunDescription())
    fired = [
        event.insight
        for step in range(metrics)
        for event in engine.observe(step, admit({f"rewards/{step}/std": 0}))
    ]
    assert fired == [f"a[{step}]#1" for step in range(MAX_CAPTURES)]
    reason = "more than 100 metrics like rewards/*/std; the others are not watched"
    assert engine.coverage() == ((NotRun("a", reason),) if left_out else ())


def test_a_capture_that_cannot_run_is_told_by_its_name(load_rules: LoadRules) -> None:
    rules = load_rules("{metric: rewards/*/std, threshold: {below: beta}}")
    engine = Engine(rules, RunDescription())
    engine.observe(1, admit({"rewards/f/std": 0}))
    [note] = engine.coverage()
    assert note.rule == "a[f]"
    assert "beta is not known" in note.reason
