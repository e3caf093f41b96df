"""Every rule for the run's trainer has judged, or is told with the reason; episodes are folded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, episodes
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]

MEAN = "{metric: x, statistic: mean, window: 3, threshold: {above: 1}}"
BOTH = "all: [{metric: x, threshold: {above: 1}}, {metric: y, threshold: {above: 1}}]"


@pytest.mark.parametrize(
    ("rule", "rows", "reason"),
    [
        (MEAN, [{"x": 0}] * 3, None),
        (MEAN, [], "x was never logged"),
        (MEAN, [{"y": 0}], "x was never logged"),
        (MEAN, [{"x": float("nan")}, {"x": None}], "x was never logged as a finite number"),
        (BOTH, [{"x": float("nan")}], "y was never logged"),
        (MEAN, [{"x": 0}], "1 observation did not fill its windows and its waiting time"),
        (MEAN, [{"x": 0}] * 2, "2 observations did not fill its windows and its waiting time"),
        (BOTH, [{"x": 0, "y": 0}], None),
        (BOTH, [{"z": 0}], "x, y were never logged"),
        (BOTH, [{"x": 5}], "y was never logged, which the rule needs beside what was"),
        # One part that is false settles it.
        (BOTH, [{"x": 0}], None),
        (
            "{metric: x, threshold: {above: 1}, after: {steps: 3}}",
            [{"x": 5}] * 2,
            "2 observations did not fill its windows and its waiting time",
        ),
        ("{metric: x, threshold: {above: 1}, after: {steps: 3}}", [{"x": 5}] * 3, None),
        ("{metric: x, threshold: {missing: true}}", [{"x": None}], None),
    ],
)
def test_a_rule_that_never_gave_an_answer_says_why(
    load_rules: LoadRules, rule: str, rows: list[dict[str, float]], reason: str | None
) -> None:
    engine = Engine(load_rules(rule), RunDescription())
    for step, row in enumerate(rows, start=1):
        engine.observe(step, admit(row))
    assert [each.reason for each in engine.coverage()] == ([] if reason is None else [reason])


def test_a_rule_for_another_trainer_is_not_missed(load_rules: LoadRules) -> None:
    rules = load_rules("{metric: x, threshold: {above: 1}, trainers: [ppo]}")
    assert Engine(rules, RunDescription("dpo")).coverage() == ()


def test_rules_that_cannot_run_come_first_then_those_still_waiting(load_rules: LoadRules) -> None:
    rules = load_rules(
        MEAN, "{metric: x, threshold: {above: beta}}", "{metric: x, threshold: {above: 1}}"
    )
    engine = Engine(rules, RunDescription())
    engine.observe(1, admit({"x": 1}))
    assert [each.rule for each in engine.coverage()] == ["b", "a"]


def test_episodes_are_ordered_by_severity_then_by_firing(load_rules: LoadRules) -> None:
    rules = load_rules(
        "{metric: x, threshold: {above: 1}, severity: low, keep_firing_for: 1}",
        "{metric: x, threshold: {above: 3}, severity: critical}",
        "{metric: x, threshold: {above: 2}, severity: high}",
        "{metric: y, threshold: {above: 1}, severity: critical}",
    )
    engine = Engine(rules, RunDescription())
    events: list[Event] = []
    for step, (x, y) in enumerate([(2, 2), (1, 2), (4, 2)], start=1):
        events += engine.observe(step, admit({"x": x, "y": y}))
    found = episodes([*events, *engine.finish(4)])
    assert [each.fired.insight for each in found] == ["d#1", "b#1", "c#1", "a#1", "a#2"]
    assert [each.ongoing for each in found] == [True, True, True, False, True]
    # While the run goes on, an open episode has no end yet.
    assert [each.closed is None for each in episodes(events)] == [True, True, True, False, True]
