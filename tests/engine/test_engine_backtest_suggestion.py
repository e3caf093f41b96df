"""From healthy runs comes the threshold at which a rule would just stay silent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.backtest_knob import find_knobs
from post_training_toolkit.engine.backtest_suggestion import (
    Suggestion,
    quiet_positions_of,
    suggestions,
)
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule, Source

LoadRules = Callable[..., tuple[Rule, ...]]
REST = """\
version: 1
rules:
  - id: a
    title: A title
    severity: medium
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""


def _run(folder: Path, name: str, values: Sequence[float], **hyperparameters: Any) -> Path:
    run = folder / name
    run.mkdir()
    labels: dict[str, Any] = {
        "trainer": "dpo",
        "hyperparameters": hyperparameters,
        "fault": None,
        "onset_step": None,
        "expected": [],
    }
    (run / "run.yaml").write_text(json.dumps(labels))
    lines = [
        json.dumps({"step": step, "epoch": 0, "logs": {"loss": value, "grad_norm": 1.0}})
        for step, value in enumerate(values, start=1)
    ]
    (run / "log.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return run


def _suggest(text: str, *folders: Path) -> list[Suggestion]:
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    bundle = load_bundle([Source("my.yaml", (REST + lines).encode())])
    return suggestions(bundle.rules, quiet_positions_of(folders, bundle.sources, 1))


@pytest.mark.parametrize(
    ("threshold", "quiet_from", "margin"),
    [
        ("{above: 10}", 5, 0.5),
        ("{above: 4}", 5, -0.25),
        ("{above: 0}", 5, None),
        ("{below: 1}", 2, 1),
        ("{below: 3}", 2, -1 / 3),
        ("{below: -1}", 2, 3),
    ],
)
def test_the_extreme_of_the_healthy_runs_is_where_a_rule_falls_silent(
    tmp_path: Path, threshold: str, quiet_from: float, margin: float | None
) -> None:
    runs = [_run(tmp_path, "x", [2, 5, 3]), _run(tmp_path, "y", [3, 4, 3])]
    [found] = _suggest(f"metric: loss\nthreshold: {threshold}", *runs)
    assert found.quiet_from == pytest.approx(quiet_from, rel=0.01)
    assert found.margin == (margin if margin is None else pytest.approx(margin, abs=0.03))


def test_the_threshold_that_is_suggested_is_on_the_quiet_side(tmp_path: Path) -> None:
    run = _run(tmp_path, "x", [2, 5, 3])
    [above] = _suggest("metric: loss\nthreshold: {above: 1}", run)
    [below] = _suggest("metric: loss\nthreshold: {below: 1}", run)
    assert above.quiet_from is not None
    assert above.quiet_from >= 5
    assert below.quiet_from is not None
    assert below.quiet_from <= 2


def test_negative_values_have_a_threshold_too(tmp_path: Path) -> None:
    [found] = _suggest("metric: loss\nthreshold: {above: 3}", _run(tmp_path, "x", [-5, -4]))
    assert found.quiet_from == pytest.approx(-4, rel=0.01)


def test_persistence_and_gates_hold_in_the_search(tmp_path: Path) -> None:
    run = _run(tmp_path, "x", [9, 3, 8, 4, 5, 3])
    [lasting] = _suggest("metric: loss\nfor: 2\nthreshold: {above: 10}", run)
    assert lasting.quiet_from == pytest.approx(4, rel=0.01)
    [gated] = _suggest("metric: loss\nafter: {steps: 4}\nthreshold: {above: 10}", run)
    assert gated.quiet_from == pytest.approx(5, rel=0.01)


def test_each_threshold_is_turned_alone_while_the_others_stay(tmp_path: Path) -> None:
    run = _run(tmp_path, "x", [9, 3])
    conditions = (
        "all:\n"
        "  - {metric: loss, threshold: {above: 5}}\n"
        "  - {metric: grad_norm, threshold: {below: 2}}\n"
    )
    loss, grad_norm = _suggest(conditions, run)
    assert loss.quiet_from == pytest.approx(9, rel=0.01)
    assert grad_norm.quiet_from == pytest.approx(1, rel=0.01)
    assert (loss.metric, loss.statistic, loss.today) == ("loss", "last", 5)


def test_a_rule_that_something_else_keeps_silent_gets_no_threshold(tmp_path: Path) -> None:
    conditions = (
        "all:\n"
        "  - {metric: loss, threshold: {above: 5}}\n"
        "  - {metric: grad_norm, threshold: {below: 0.5}}\n"
    )
    loss, _ = _suggest(conditions, _run(tmp_path, "x", [9, 3]))
    assert (loss.quiet_from, loss.margin) == (None, None)


def test_a_threshold_that_depends_on_the_configuration_is_scaled(tmp_path: Path) -> None:
    run = _run(tmp_path, "x", [3, 6], beta=0.5)
    [found] = _suggest("metric: loss\nthreshold: {above: 4 * beta}", run)
    assert found.today is None
    assert found.quiet_from == pytest.approx(3, rel=0.01)
    assert found.margin == pytest.approx(-2, rel=0.03)


def test_both_levels_of_a_rule_have_thresholds(tmp_path: Path) -> None:
    run = _run(tmp_path, "x", [3, 6, 5, 2])
    higher = "escalation: {severity: high, threshold: {above: 8}, for: 2}"
    text = f"metric: loss\nthreshold: {{above: 4}}\n{higher}"
    found = _suggest(text, run)
    assert [(each.severity, each.today) for each in found] == [("medium", 4), ("high", 8)]
    assert [each.quiet_from for each in found] == pytest.approx([6, 5], rel=0.01)


def test_only_above_and_below_outside_not_are_turned(load_rules: LoadRules) -> None:
    rules = load_rules(
        "{metric: loss, threshold: {equals: 1, tolerance: 0.1}}",
        "{metric: loss, threshold: {non_finite: true}}",
        "{all: [{metric: loss, threshold: {above: 1}},"
        " {not: {metric: grad_norm, threshold: {above: 1}}}]}",
    )
    assert [(knob.rule.id, knob.comparison.metric) for knob in find_knobs(rules)] == [("c", "loss")]


def test_positions_of_a_knob_run_from_loud_to_quiet(load_rules: LoadRules) -> None:
    above, below = find_knobs(
        load_rules("{metric: loss, threshold: {above: 1}}", "{metric: loss, threshold: {below: 1}}")
    )
    positions = [above.reach * share for share in (-1, -0.5, -1e-3, 0, 1e-3, 0.5, 1)]
    numbers = [above.number(each) for each in positions]
    assert numbers == sorted(numbers)
    assert [below.number(each) for each in positions] == [-each for each in numbers]
    assert numbers[3] == 0
    assert math.isclose(numbers[-1], 1e12, rel_tol=1e-6)
    rule = above.rule_at(above.reach)
    assert rule.id == above.key != below.key
