"""Hold, cool-down and the gates on the progress of a run, its schedule and its library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

Compile = Callable[..., Any]
LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]


def _rule(rest: str) -> str:
    return f"{{metric: x, threshold: {{above: 1}}, {rest}}}"


@pytest.mark.parametrize(
    ("rest", "values", "told"),
    [
        # Without trouble for so many observations in a row it is over.
        ("keep_firing_for: 2", [5, 0, 5, 0, 0], ["1: a#1 fires", "5: a#1 resolves"]),
        ("keep_firing_for: 3", [5, 0, 0], ["1: a#1 fires"]),
        # What cannot be judged is no observation without trouble.
        (
            "keep_firing_for: 2",
            [5, 0, float("nan"), float("nan"), 0],
            ["1: a#1 fires", "5: a#1 resolves"],
        ),
        # After the end no new episode begins for so many observations, whatever they are.
        (
            "keep_firing_for: 1, cool_down: 2",
            [5, 0, 5, 5, 5],
            ["1: a#1 fires", "2: a#1 resolves", "5: a#2 fires"],
        ),
        (
            "keep_firing_for: 1, cool_down: 2",
            [5, 0, 0, 0, 5],
            ["1: a#1 fires", "2: a#1 resolves", "5: a#2 fires"],
        ),
        # Nothing is counted towards for while it cools down.
        (
            "keep_firing_for: 1, cool_down: 2, for: 2",
            [5, 5, 0, 5, 5, 5, 5],
            ["2: a#1 fires", "3: a#1 resolves", "7: a#2 fires"],
        ),
        # A resolved episode cools down, a broken off beginning does not.
        ("cool_down: 5, for: 2", [5, 0, 5, 5], ["4: a#1 fires"]),
    ],
)
def test_hold_and_cool_down(story: Story, rest: str, values: list[float], told: list[str]) -> None:
    assert story(_rule(rest), rows=[{"x": value} for value in values]) == told


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ("until: {steps: 3}", ["1: a#1 fires", "5: a#1 resolves"]),
        ("until: {fraction: 0.3}", ["1: a#1 fires", "5: a#1 resolves"]),
        # The earlier end counts.
        ("until: {steps: 3, fraction: 0.9}", ["1: a#1 fires", "5: a#1 resolves"]),
        ("until: {steps: 9, fraction: 0.3}", ["1: a#1 fires", "5: a#1 resolves"]),
        ("until: {steps: 1}", ["1: a#1 fires", "3: a#1 resolves"]),
        ("after: {steps: 3}, until: {steps: 4}", ["3: a#1 fires", "6: a#1 resolves"]),
    ],
)
def test_behind_until_nothing_is_wrong_and_an_open_episode_runs_out(
    story: Story, gate: str, told: list[str]
) -> None:
    run = RunDescription(max_steps=10)
    assert story(_rule(f"keep_firing_for: 2, {gate}"), rows=[{"x": 5}] * 8, run=run) == told


def test_without_a_planned_length_a_share_of_the_run_ends_nothing(story: Story) -> None:
    assert story(_rule("until: {fraction: 0.1}"), rows=[{"x": 0}] * 8 + [{"x": 5}]) == [
        "9: a#1 fires"
    ]


@pytest.mark.parametrize(
    ("after", "max_steps", "first"),
    [
        ("{fraction: 0.5, at_most_steps: 30}", 40, 20),
        ("{fraction: 0.5, at_most_steps: 30}", 1000, 30),
        # It bounds the share only.
        ("{fraction: 0.5, at_most_steps: 30, steps: 50}", 1000, 50),
        ("{fraction: 0.5, at_most_steps: 30}", None, 1),
    ],
)
def test_a_long_run_need_not_wait_for_ever(
    load_rules: LoadRules, after: str, max_steps: int | None, first: int
) -> None:
    engine = Engine(load_rules(_rule(f"after: {after}")), RunDescription(max_steps=max_steps))
    fired = [step for step in range(1, 61) if engine.observe(step, admit({"x": 5}))]
    assert fired == [first]


@pytest.mark.parametrize(
    ("rates", "phases"),
    [
        ([1, 2, 3, 3, 3, 2, 1, 0], "?wwccddd"),
        # A first 0 is a warm-up already; a later 0 is not.
        ([0, 1, 2], "www"),
        ([0, 0, 1], "wcw"),
        ([1, 0, 0], "?dc"),
        # A cosine schedule with a restart.
        ([3, 2, 1, 3, 2], "?ddwd"),
        # A row without the rate, as evaluation writes it, changes nothing.
        ([1, None, 2, None, 2, None, 1], "??wwccd"),
    ],
)
@pytest.mark.parametrize(("trainer", "key"), [("dpo", "learning_rate"), ("ppo", "lr")])
def test_the_phase_is_what_the_logged_learning_rate_does(
    load_rules: LoadRules, rates: list[float | None], phases: str, trainer: str, key: str
) -> None:
    """One rule for each phase; each row is judged by the one of its phase, or by none."""
    rules = load_rules(
        *(
            f"{{id: {phase}, metric: x, threshold: {{above: 0}}, keep_firing_for: 1, "
            f"learning_rate_phase: [{phase}]}}"
            for phase in ("warmup", "constant", "decay")
        )
    )
    engine = Engine(rules, RunDescription(trainer))
    open_rules: set[str] = set()
    found = ""
    for step, rate in enumerate(rates, start=1):
        row = {"x": 1.0} if rate is None else {"x": 1.0, key: float(rate)}
        for event in engine.observe(step, admit(row)):
            open_rules ^= {event.rule}
        [open_rule] = open_rules or {"?"}
        found += open_rule[0]
    assert found == phases


def test_several_phases_are_alternatives(story: Story) -> None:
    rule = _rule("learning_rate_phase: [constant, decay]")
    rows = [{"x": 5, "learning_rate": rate} for rate in (0, 1, 2, 2)]
    assert story(rule, rows=rows) == ["4: a#1 fires"]
    assert story(rule, rows=[{"x": 5}] * 3) == []


@pytest.mark.parametrize(
    ("trl", "version", "watched"),
    [
        ("'>=1.12,<2'", "1.12.0", True),
        ("'>=1.12,<2'", "1.11.9", False),
        ("'>=1.12,<2'", "2.0.0", False),
        ("'>=1.12,<2'", None, True),
        # A version under development counts as what comes before its release.
        ("'>=1.12,<2'", "1.13.0.dev0", True),
        ("'>=1.12,<2'", "1.12.0.dev0", False),
        ("'<1.12'", "1.11.0rc1", True),
        ("'!=1.12.*'", "1.12.3", False),
        # What is no version lies in no range.
        ("'>=1.12,<2'", "main", False),
    ],
)
def test_a_range_of_trl_versions(
    compiled: Compile, trl: str, version: str | None, watched: bool
) -> None:
    rules = compiled(_rule(f"trl: {trl}"), run=RunDescription(trl_version=version))
    assert (len(rules.detectors), rules.not_run) == (int(watched), ())


@pytest.mark.parametrize("version", [None, "1.12.0", "0.1.dev0", "main"])
def test_a_rule_without_a_range_is_for_every_version(
    compiled: Compile, version: str | None
) -> None:
    assert compiled(_rule("for: 1"), run=RunDescription(trl_version=version)).detectors
