"""A root cause is shown once, with its consequences folded under it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFolded, episodes
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]

CAUSE = "{id: cause, metric: x, threshold: {above: 1}, keep_firing_for: 1, inhibits: [effect]}"
EFFECT = "{id: effect, metric: y, threshold: {above: 1}, keep_firing_for: 1}"
# The same relation, said by the consequence.
PLAIN_CAUSE = CAUSE.replace(", inhibits: [effect]", "")
CAUSED = EFFECT.replace("}, keep", "}, caused_by: [cause], keep")

both_ways = pytest.mark.parametrize(
    ("cause", "effect"),
    [(CAUSE, EFFECT), (PLAIN_CAUSE, CAUSED), (CAUSE, CAUSED)],
    ids=["inhibits", "caused_by", "both"],
)
in_both_orders = pytest.mark.parametrize("cause_first", [True, False])

ROWS = {
    "cause first": [{"x": 5, "y": 0}, {"x": 5, "y": 5}],
    "consequence first": [{"x": 0, "y": 5}, {"x": 5, "y": 5}],
    "same step": [{"x": 5, "y": 5}],
    "cause over": [{"x": 5, "y": 0}, {"x": 0, "y": 0}, {"x": 0, "y": 5}],
    "consequence over": [{"x": 0, "y": 5}, {"x": 0, "y": 0}, {"x": 5, "y": 0}],
    "cause again": [{"x": 0, "y": 5}, {"x": 5, "y": 5}, {"x": 0, "y": 5}, {"x": 5, "y": 5}],
}


@both_ways
@in_both_orders
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("cause first", ["1: cause#1 fires", "2: effect#1 fires because of cause#1"]),
        (
            "consequence first",
            ["1: effect#1 fires", "2: cause#1 fires", "2: effect#1 is folded under cause#1"],
        ),
        ("same step", ["1: cause#1 fires", "1: effect#1 fires because of cause#1"]),
        ("cause over", ["1: cause#1 fires", "2: cause#1 resolves", "3: effect#1 fires"]),
        ("consequence over", ["1: effect#1 fires", "2: effect#1 resolves", "3: cause#1 fires"]),
        # What is folded once is not folded again.
        (
            "cause again",
            [
                "1: effect#1 fires",
                "2: cause#1 fires",
                "2: effect#1 is folded under cause#1",
                "3: cause#1 resolves",
                "4: cause#2 fires",
            ],
        ),
    ],
)
def test_a_consequence_is_folded_under_an_open_cause(
    story: Story, cause: str, effect: str, cause_first: bool, rows: str, told: list[str]
) -> None:
    rules = (cause, effect) if cause_first else (effect, cause)
    # Within a step events stand in the order of the rules.
    assert sorted(story(*rules, rows=ROWS[rows])) == sorted(told)


def test_a_new_episode_of_a_consequence_is_folded_anew(story: Story) -> None:
    rows = [{"x": 5, "y": 5}, {"x": 5, "y": 0}, {"x": 5, "y": 5}]
    assert story(CAUSE, EFFECT, rows=rows) == [
        "1: cause#1 fires",
        "1: effect#1 fires because of cause#1",
        "2: effect#1 resolves",
        "3: effect#2 fires because of cause#1",
    ]


def test_in_a_chain_each_is_folded_under_what_causes_it(story: Story) -> None:
    rules = (
        "{id: first, metric: x, threshold: {above: 1}, inhibits: [second]}",
        "{id: second, metric: y, threshold: {above: 1}, inhibits: [third]}",
        "{id: third, metric: z, threshold: {above: 1}}",
    )
    assert story(*rules, rows=[{"x": 5, "y": 5, "z": 5}]) == [
        "1: first#1 fires",
        "1: second#1 fires because of first#1",
        "1: third#1 fires because of second#1",
    ]
    # Without the middle the ends have nothing to do with each other.
    assert story(*rules, rows=[{"x": 5, "y": 0, "z": 5}]) == [
        "1: first#1 fires",
        "1: third#1 fires",
    ]


def test_of_several_causes_the_one_that_fired_first_counts(story: Story) -> None:
    rules = (
        "{id: late, metric: x, threshold: {above: 1}, inhibits: [effect]}",
        "{id: early, metric: z, threshold: {above: 1}, inhibits: [effect]}",
        EFFECT,
    )
    rows = [{"x": 0, "z": 5, "y": 0}, {"x": 5, "z": 5, "y": 5}]
    assert story(*rules, rows=rows)[-1] == "2: effect#1 fires because of early#1"


def test_every_capture_of_a_glob_is_a_cause_or_a_consequence(story: Story) -> None:
    cause = "{id: cause, metric: rewards/*/std, threshold: {below: 1}, inhibits: [effect]}"
    effect = "{id: effect, metric: rewards/*/mean, threshold: {below: 1}}"
    rows = [{"rewards/a/mean": 0}, {"rewards/b/std": 0, "rewards/c/mean": 0}]
    assert story(cause, effect, rows=rows) == [
        "1: effect[a]#1 fires",
        "2: cause[b]#1 fires",
        "2: effect[c]#1 fires because of cause[b]#1",
        "2: effect[a]#1 is folded under cause[b]#1",
    ]


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (CAUSE.replace("[effect]", "[effect_of_old]"), "renamed_from: [effect_of_old]"),
        (PLAIN_CAUSE.replace("}, keep", "}, renamed_from: [cause_of_old], keep"), ""),
    ],
)
def test_relations_hold_across_a_renaming(story: Story, cause: str, effect: str) -> None:
    rest = effect or "caused_by: [cause_of_old]"
    consequence = EFFECT.replace("}, keep", f"}}, {rest}, keep")
    assert story(cause, consequence, rows=[{"x": 5, "y": 5}]) == [
        "1: cause#1 fires",
        "1: effect#1 fires because of cause#1",
    ]


def test_an_episode_knows_its_cause_however_it_was_folded(load_rules: LoadRules) -> None:
    for rows in (ROWS["cause first"], ROWS["consequence first"]):
        engine = Engine(load_rules(CAUSE, EFFECT), RunDescription())
        events: list[Event] = []
        for step, row in enumerate(rows, 1):
            events += engine.observe(step, admit(row))
        causes = {each.fired.rule: each.caused_by for each in episodes(events)}
        assert causes == {"cause": None, "effect": "cause#1"}


def test_an_insight_that_ends_with_the_run_is_not_folded_any_more(load_rules: LoadRules) -> None:
    engine = Engine(load_rules(CAUSE, EFFECT), RunDescription())
    engine.observe(1, admit({"y": 5}))
    engine.finish(1)
    told = engine.observe(2, admit({"x": 5}))
    assert not any(isinstance(event, InsightFolded) for event in told)
    assert len(told) == 1
