"""Metrics of runs are compared where all of them have values, and only for what they are worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.comparison.alignment import Alignment, AlignmentError
from post_training_toolkit.ptt_trl.comparison.metric_comparison import (
    Difference,
    MetricComparison,
    Verdict,
)
from post_training_toolkit.ptt_trl.comparison.run_comparison import RunComparison, compare_runs
from post_training_toolkit.ptt_trl.comparison.text import render_text
from post_training_toolkit.ptt_trl.report.reading import read_run
from tests.ptt_trl.recorded_run import rows, write_run

STEPS = 40


def dpo(max_steps: int = STEPS, **configuration: Any) -> RunDescription:
    given = {"beta": 0.1, "logging_steps": 1, "loss_type": ["sigmoid"], **configuration}
    return RunDescription("dpo", given, max_steps=max_steps, logging_steps=1)


def compare(
    folder: Path,
    runs: Mapping[str, Iterable[MetricsEntry]],
    descriptions: Mapping[str, RunDescription] | None = None,
    alignment: Alignment = Alignment.STEP,
) -> RunComparison:
    given = descriptions or {}
    paths = [
        write_run(folder / name, entries, run=given.get(name, dpo()), final={})
        for name, entries in runs.items()
    ]
    return compare_runs([read_run(path) for path in paths], alignment)


def metric(comparison: RunComparison, name: str) -> MetricComparison:
    return next(each for each in comparison.metrics if each.metric == name)


def difference(comparison: RunComparison, name: str, run: str = "b") -> Difference:
    found = metric(comparison, name).runs[run].difference
    assert found is not None
    return found


def curve(add: float, noise: float = 0.0, steps: int = STEPS, seed: int = 0) -> list[float]:
    drawn = np.random.default_rng(seed).normal(0, noise or 1e-9, steps)
    return [0.5 + add + 0.005 * step + float(drawn[step]) for step in range(steps)]


def win_rates(**curves: list[float]) -> dict[str, list[MetricsEntry]]:
    return {name: rows({"rewards/accuracies": values}) for name, values in curves.items()}


def test_a_run_that_is_ahead_all_along_is_better(tmp_path: Path) -> None:
    found = difference(compare(tmp_path, win_rates(a=curve(0), b=curve(0.1))), "win_rate")
    assert found.verdict is Verdict.BETTER
    assert found.median == pytest.approx(0.1)
    assert (found.agreeing, found.places) == (STEPS, STEPS)


def test_less_is_worse_only_where_more_is_better(tmp_path: Path) -> None:
    values = {"a": 1.0, "b": 0.5}
    runs = {
        name: rows({"loss": [value] * STEPS, "rewards/accuracies": [value] * STEPS})
        for name, value in values.items()
    }
    comparison = compare(tmp_path, runs)
    assert difference(comparison, "win_rate").verdict is Verdict.WORSE
    assert difference(comparison, "loss").verdict is Verdict.BETTER


def test_two_seeds_of_the_same_course_do_not_differ(tmp_path: Path) -> None:
    runs = win_rates(a=curve(0, 0.05, seed=1), b=curve(0, 0.05, seed=2))
    assert difference(compare(tmp_path, runs), "win_rate").verdict is Verdict.NONE


def test_two_thirds_of_the_values_are_too_few_to_agree(tmp_path: Path) -> None:
    ahead = [0.6 if step % 3 else 0.4 for step in range(60)]
    found = difference(compare(tmp_path, win_rates(a=[0.5] * 60, b=ahead)), "win_rate")
    assert (found.agreeing, found.verdict) == (40, Verdict.NONE)


def test_a_snapshot_counts_as_it_is(tmp_path: Path) -> None:
    values = [float(step) for step in range(10)]
    runs = {name: rows({"snapshot/policy_drift": values, "entropy": values}) for name in "ab"}
    comparison = compare(tmp_path, runs)
    assert metric(comparison, "snapshot/policy_drift").runs["a"].end == 9
    assert metric(comparison, "entropy").runs["a"].end == 7


def test_few_values_cannot_tell(tmp_path: Path) -> None:
    runs = win_rates(a=curve(0, steps=4), b=curve(0.2, steps=4))
    assert difference(compare(tmp_path, runs), "win_rate").verdict is Verdict.UNKNOWN


def test_a_metric_without_a_direction_is_higher_or_lower(tmp_path: Path) -> None:
    runs = {
        name: rows({"grad_norm": [value + 0.001 * step for step in range(STEPS)]})
        for name, value in {"a": 1.0, "b": 2.0}.items()
    }
    comparison = compare(tmp_path, runs)
    assert difference(comparison, "grad_norm").verdict is Verdict.HIGHER
    assert metric(comparison, "grad_norm").runs["b"].best is None


def test_what_scales_with_beta_is_not_called_better(tmp_path: Path) -> None:
    runs = {
        name: rows({"rewards/margins": curve(add), "rewards/accuracies": curve(add)})
        for name, add in {"a": 0.0, "b": 0.2}.items()
    }
    comparison = compare(tmp_path, runs, {"b": dpo(beta=0.5)})
    margin = difference(comparison, "reward_margin")
    assert margin.verdict is Verdict.HIGHER
    assert margin.incomparable == ("beta, on which its scale depends, differs (a: 0.1, b: 0.5)")
    assert difference(comparison, "win_rate").verdict is Verdict.BETTER
    text = " ".join(render_text(comparison).split())
    assert "b is neither better nor worse by reward_margin: beta" in text


def test_losses_of_different_trainers_are_not_called_better(tmp_path: Path) -> None:
    runs = {name: rows({"loss": [value] * STEPS}) for name, value in {"a": 1.0, "b": 2.0}.items()}
    comparison = compare(tmp_path, runs, {"b": RunDescription("sft", {}, STEPS, 1)})
    assert difference(comparison, "loss").verdict is Verdict.HIGHER


def test_the_range_ends_with_the_shorter_run(tmp_path: Path) -> None:
    runs = win_rates(a=[*[0.5] * 20, *[0.9] * 20], b=[0.5] * 20)
    found = metric(compare(tmp_path, runs), "win_rate")
    assert (found.begin, found.end) == (1, 20)
    assert found.runs["a"].end == 0.5


def test_each_value_of_the_coarser_run_is_set_against_the_last_one_before(tmp_path: Path) -> None:
    runs: dict[str, Iterable[MetricsEntry]] = {
        "a": rows({"rewards/accuracies": [step / 100 for step in range(1, 41)]}),
        "b": [
            LoggedRow(step, None, admit({"rewards/accuracies": 0.0})) for step in range(5, 41, 5)
        ],
    }
    found = difference(compare(tmp_path, runs), "win_rate")
    assert found.places == 8
    assert found.median == pytest.approx(-0.225)


def with_tokens(each: int, reach: float) -> list[MetricsEntry]:
    """Return a run whose win rate depends on the tokens it has seen."""
    counts = [float(each * step) for step in range(1, STEPS + 1)]
    rates = [min(count / reach, 1.0) for count in counts]
    return rows({"num_tokens": counts, "rewards/accuracies": rates})


def test_runs_are_aligned_by_tokens(tmp_path: Path) -> None:
    runs = {"a": with_tokens(100, 4000), "b": with_tokens(200, 4000)}
    by_step = difference(compare(tmp_path / "step", runs), "win_rate")
    by_tokens = compare(tmp_path / "tokens", runs, alignment=Alignment.TOKENS)
    assert by_step.median is not None
    assert by_step.median > 0.2
    assert difference(by_tokens, "win_rate").median == 0
    assert metric(by_tokens, "win_rate").end == 4000


def test_runs_are_aligned_by_the_share_of_their_planned_steps(tmp_path: Path) -> None:
    runs = win_rates(a=curve(0), b=curve(0, steps=20))
    found = compare(tmp_path, runs, {"b": dpo(max_steps=80)}, Alignment.FRACTION)
    assert metric(found, "win_rate").end == 25


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, "did not log num_tokens; align by step or fraction instead"),
        ({"num_tokens": [5.0, 9.0, 2.0]}, "num_tokens does not grow at step 3"),
    ],
)
def test_tokens_that_say_no_place_are_refused(
    tmp_path: Path, counts: dict[str, list[float]], told: str
) -> None:
    runs = {"a": with_tokens(100, 4000), "b": rows({"loss": [1.0] * 3, **counts})}
    with pytest.raises(AlignmentError, match=told):
        compare(tmp_path, runs, alignment=Alignment.TOKENS)


def test_a_loss_that_hides_nan_is_not_called_good(tmp_path: Path) -> None:
    runs = {
        "a": rows({"loss": [0.5] * STEPS, "grad_norm": [1.0] * STEPS}),
        "b": rows(
            {
                "loss": [0.6] * 20 + [0.0] * 20,
                "grad_norm": [1.0] * 20 + [math.nan] * 20,
            }
        ),
    }
    comparison = compare(tmp_path, runs)
    assert metric(comparison, "loss").runs["b"].end is None
    assert difference(comparison, "loss").verdict is Verdict.WORSE


def test_what_never_overlaps_is_left_out(tmp_path: Path) -> None:
    runs = {
        "a": rows({"loss": [0.5] * 5}),
        "b": rows({"loss": [0.5] * 5}, first=10),
    }
    assert compare(tmp_path, runs).metrics == ()
