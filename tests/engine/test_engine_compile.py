"""Rules become detectors for one run: shared statistics, windows and thresholds in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.statistics.window import WindowStatistic

Compile = Callable[..., Any]


def _kinds(compiled: Any) -> dict[str, list[str]]:
    """Name the statistics that each metric feeds, with their windows."""
    return {
        metric: [
            f"{type(each).__name__}({each.window_size})"
            if isinstance(each, WindowStatistic)
            else type(each).__name__
            for each in found
        ]
        for metric, found in compiled.statistics.items()
    }


def test_rules_share_one_statistic_for_equal_metric_statistic_and_window(
    compiled: Compile,
) -> None:
    rules = compiled(
        "{metric: x, statistic: mean, window: 20, threshold: {above: 1}}",
        "{metric: x, statistic: mean, window: 20, threshold: {below: -1}, for: 3}",
        "{metric: x, statistic: mean, window: {fraction: 0.1, at_least: 20, at_most: 30}, "
        "threshold: {above: 2}}",
        "{metric: x, statistic: mean, window: 10, threshold: {above: 1}}",
        "{metric: x, statistic: std, window: 20, threshold: {above: 1}}",
        "{metric: y, statistic: mean, window: 20, threshold: {above: 1}}",
        "{metric: x, threshold: {above: 1, relative_to: baseline}}",
        "{metric: x, threshold: {above: 5, relative_to: baseline}}",
        "{metric: x, threshold: {above: 5, relative_to: {statistic: mean, window: 20}}}",
        "{metric: x, threshold: {above: 6, relative_to: {statistic: mean, window: 20}}}",
    )
    assert len(rules.detectors) == 10
    assert _kinds(rules) == {
        "x": ["Mean(20)", "Mean(10)", "Std(20)", "Last(1)", "Baseline", "Before"],
        "y": ["Mean(20)"],
    }


def test_a_best_so_far_belongs_to_one_rule_and_is_not_fed_with_the_metric(
    compiled: Compile,
) -> None:
    rules = compiled("{metric: x, threshold: {above: 2, relative_to: running_best}}")
    assert _kinds(rules) == {"x": ["Last(1)"]}


@pytest.mark.parametrize(
    ("max_steps", "logging_steps", "planned"),
    [(100, 1, 100), (100, 10, 10), (105, 10, 10), (3, 10, 1), (None, 1, None), (100, None, None)],
)
def test_a_run_plans_one_log_every_so_many_steps_and_at_least_one(
    max_steps: int | None, logging_steps: int | None, planned: int | None
) -> None:
    run = RunDescription(None, {}, max_steps, logging_steps)
    assert run.planned_logs == planned


@pytest.mark.parametrize(
    ("window", "max_steps", "logging_steps", "size"),
    [
        ("20", 1000, 1, 20),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 200, 1, 20),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 200, 5, 5),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 1000, 4, 25),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 10, 1, 5),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 10**6, 1, 50),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", None, 1, 5),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", 200, None, 5),
        ("{fraction: 0.5, at_least: 1, at_most: 50}", 3, 10, 1),
    ],
)
def test_a_window_is_a_share_of_the_planned_logs_within_its_bounds(
    compiled: Compile,
    window: str,
    max_steps: int | None,
    logging_steps: int | None,
    size: int,
) -> None:
    rules = compiled(
        f"{{metric: x, statistic: mean, window: {window}, threshold: {{above: 1}}}}",
        run=RunDescription(None, {}, max_steps, logging_steps),
    )
    assert _kinds(rules) == {"x": [f"Mean({size})"]}
    assert rules.detectors[0].checks[0].window == size


@pytest.mark.parametrize(
    ("threshold", "trainer", "configuration", "text"),
    [
        ("above: 2 * beta", "dpo", {"beta": 0.1}, "above 0.2"),
        ("below: -1e-3", "sft", {}, "below -0.001"),
        ("between: [0, sqrt(n)]", None, {"n": 16}, "between 0 and 4"),
        ("outside: [-n, n]", None, {"n": 2.5}, "outside -2.5 and 2.5"),
        ("equals: n", None, {"n": 3}, "equal to 3"),
        ("equals: n, tolerance: 0.1 * n", None, {"n": 3}, "within 0.3 of 3"),
        # What follows from the arguments by the trainer's profile.
        ("equals: initial_loss", "dpo", {"loss_type": ["ipo"], "beta": 0.1}, "equal to 25"),
        (
            "above: examples_per_log",
            "sft",
            {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "world_size": 4},
            "above 64",
        ),
        ("above: 3, relative_to: baseline", None, {}, "above 3 times its baseline"),
        ("above: 3, relative_to: running_best", None, {}, "above 3 times its best so far"),
        (
            "above: n, relative_to: {statistic: last}",
            None,
            {"n": 9},
            "above 9 times the last before",
        ),
        ("non_finite: true", None, {}, "NaN or infinite"),
        ("missing: true", None, {}, "logged as null"),
    ],
)
def test_thresholds_are_computed_from_the_configuration_of_the_run(
    compiled: Compile,
    threshold: str,
    trainer: str | None,
    configuration: dict[str, Any],
    text: str,
) -> None:
    """The arguments' own logging_steps may be a fraction; what the trainer made of it counts."""
    run = RunDescription(trainer, {"logging_steps": 0.5, **configuration}, 100, logging_steps=1)
    rules = compiled(f"{{metric: x, threshold: {{{threshold}}}}}", run=run)
    assert rules.detectors[0].checks[0].limits.text == text


@pytest.mark.parametrize(
    ("threshold", "reason"),
    [
        ("above: 2 * beta", "its threshold needs 2 * beta, and beta is not known in this run"),
        ("above: a * n", "its threshold needs a * n, and a is not known in this run"),
        # In alphabetical order, so that the same run always reads the same.
        ("above: d*c*b*a", "its threshold needs d*c*b*a, and a, b, c, d is not known in this run"),
        ("below: word + 1", "its threshold needs word + 1, and word is not known in this run"),
        ("above: 1 / zero", "its threshold needs 1 / zero, and it has no finite value in this run"),
        (
            "equals: 1, tolerance: beta",
            "its threshold needs beta, and beta is not known in this run",
        ),
        (
            "above: 1, relative_to: baseline, reference_at_least: beta",
            "its threshold needs beta, and beta is not known in this run",
        ),
    ],
)
def test_a_threshold_that_has_no_value_in_this_run_is_told_and_the_other_rules_run(
    compiled: Compile, threshold: str, reason: str
) -> None:
    run = RunDescription(None, {"n": 2, "zero": 0, "word": "linear"})
    rules = compiled(
        f"{{metric: x, threshold: {{{threshold}}}}}", "{metric: x, threshold: {above: n}}", run=run
    )
    assert rules.not_run == (NotRun("a", reason),)
    assert [detector.rule.id for detector in rules.detectors] == ["b"]
