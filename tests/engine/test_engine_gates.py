"""A rule's gate: trainers, configuration, and how much of the run must be over."""

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


@pytest.mark.parametrize(
    ("gate", "trainer", "watched"),
    [
        ("trainers: [dpo, kto]", "dpo", True),
        ("trainers: [dpo, kto]", "sft", False),
        ("trainers: [dpo, kto]", None, False),
        ("for: 1", "sft", True),
        ("for: 1", None, True),
    ],
)
def test_a_rule_for_other_trainers_is_no_part_of_the_run(
    compiled: Compile, gate: str, trainer: str | None, watched: bool
) -> None:
    rule = f"{{metric: x, threshold: {{above: 1}}, {gate}}}"
    rules = compiled(rule, run=RunDescription(trainer))
    assert (len(rules.detectors), rules.not_run) == (int(watched), ())


@pytest.mark.parametrize(
    ("where", "configuration", "watched"),
    [
        ("{loss_type: [sigmoid, hinge]}", {"loss_type": "hinge"}, True),
        ("{loss_type: [sigmoid, hinge]}", {"loss_type": ["sigmoid"]}, True),
        ("{loss_type: [sigmoid, hinge]}", {"loss_type": ["hinge", "sigmoid"]}, True),
        ("{loss_type: [sigmoid, hinge]}", {"loss_type": ["sigmoid", "ipo"]}, False),
        ("{fp16: [false, null]}", {"fp16": False}, True),
        ("{fp16: [false, null]}", {}, True),
        ("{fp16: [false, null]}", {"fp16": True}, False),
        ("{fp16: [true]}", {}, False),
        ("{beta: [0.1]}", {"beta": 0.1}, True),
        ("{beta: [0.1], a: [1]}", {"beta": 0.1}, False),
    ],
)
def test_where_asks_the_configuration_and_takes_what_is_unknown_for_null(
    compiled: Compile, where: str, configuration: dict[str, Any], watched: bool
) -> None:
    """A rule for another configuration is, like one for another trainer, no part of the run."""
    rules = compiled(
        f"{{metric: x, threshold: {{above: 1}}, where: {where}}}",
        run=RunDescription(None, configuration),
    )
    assert (len(rules.detectors), rules.not_run) == (int(watched), ())


@pytest.mark.parametrize(
    ("after", "first"),
    [
        ("{observations: 4}", 4),
        ("{steps: 60}", 6),
        ("{fraction: 0.3}", 3),
        ("{observations: 2, steps: 15, fraction: 0.5}", 5),
        ("{observations: 1}", 1),
    ],
)
def test_a_rule_does_not_judge_before_its_time(
    load_rules: LoadRules, after: str, first: int
) -> None:
    """Ten rows, one every ten of a hundred steps; the condition holds in all of them."""
    rules = load_rules(f"{{metric: x, threshold: {{above: 0}}, after: {after}}}")
    engine = Engine(rules, RunDescription(None, {}, max_steps=100, logging_steps=10))
    fired = [step for step in range(10, 101, 10) if engine.observe(step, admit({"x": 1}))]
    assert fired == [first * 10]


def test_statistics_fill_while_the_rule_waits(story: Story) -> None:
    waits = (
        "{metric: x, statistic: mean, window: 3, threshold: {above: 0}, after: {observations: 3}}"
    )
    assert story(waits, rows=[{"x": 1}] * 4) == ["3: a#1 fires"]
    counts = "{metric: x, threshold: {above: 0}, after: {observations: 3}, for: 2}"
    assert story(counts, rows=[{"x": 1}] * 5) == ["4: a#1 fires"]


def test_without_a_planned_length_a_share_of_the_run_is_no_gate(story: Story) -> None:
    rule = "{metric: x, threshold: {above: 0}, after: {fraction: 0.9}}"
    assert story(rule, rows=[{"x": 1}], run=RunDescription(max_steps=None)) == ["1: a#1 fires"]
    assert story(rule, rows=[{"x": 1}], run=RunDescription(max_steps=100)) == []
