"""The metrics of several runs over the part of training that all of them went through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.stats import binomtest

from post_training_toolkit.ptt_trl.comparison.alignment import Alignment, places_of
from post_training_toolkit.ptt_trl.comparison.comparability import metric_incomparable
from post_training_toolkit.ptt_trl.comparison.level import level_at
from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.ptt_trl.report.best_step import best_steps
from post_training_toolkit.ptt_trl.report.series import Numbers, Series
from post_training_toolkit.rules.catalogue import toolkit_metrics
from post_training_toolkit.rules.profile import EVAL_PREFIX, Direction, load_profile

# Bookkeeping that says nothing about how the training went.
_NOT_COMPARED = frozenset({"epoch", "num_tokens", "total_flos"})
# A difference counts if so many of the places agree on its sign, and a sign test is below 0.05.
_MOST_PLACES = 0.75
_SIGNIFICANT = 0.05


class Verdict(StrEnum):
    """What the difference of a run from the first one comes to."""

    BETTER = "better"
    WORSE = "worse"
    HIGHER = "higher"
    LOWER = "lower"
    NONE = "no difference that counts"
    UNKNOWN = "too few values to tell"


@dataclass(frozen=True, slots=True)
class Difference:
    """A run minus the first one: the median over ``places``, at ``agreeing`` of which it is so.

    ``median`` is None if there is no place at which both have a finite value. ``incomparable`` says
    why neither is called better by a metric that has a direction, None if that may be said.
    """

    median: float | None
    places: int
    agreeing: int
    verdict: Verdict
    incomparable: str | None = None


@dataclass(frozen=True, slots=True)
class RunMetric:
    """One metric of one run within the common range.

    ``end`` is its level there, None if that is not finite. ``best`` is the level where it was best
    and ``best_place`` where that was, both None for a metric that has no good direction, or none
    that was better than others. ``difference`` is that from the first run; None for that run.
    """

    end: float | None
    best: float | None
    best_place: float | None
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric of all runs that log it, by their names, between two places they have in common.

    ``direction`` says whether more or less is better, None where neither is, or trainers disagree.
    """

    metric: str
    direction: Direction | None
    begin: float
    end: float
    runs: Mapping[str, RunMetric]


@dataclass(frozen=True, slots=True)
class PlacedSeries:
    """A metric of a run, with the place of each of its values."""

    run: NamedRun
    series: Series
    places: Numbers


def placed_metrics(
    runs: Sequence[NamedRun], alignment: Alignment
) -> dict[str, tuple[PlacedSeries, ...]]:
    """Return every metric that two runs log at places, the most telling first.

    Raises ``AlignmentError``.
    """
    found: dict[str, list[PlacedSeries]] = {}
    for run in runs:
        place = places_of(run, alignment)
        for name, series in run.series.items():
            places = place(series.steps)
            known = np.isfinite(places)
            if name not in _NOT_COMPARED and known.any():
                kept = replace(series, steps=series.steps[known], values=series.values[known])
                found.setdefault(name, []).append(PlacedSeries(run, kept, places[known]))
    profile = load_profile(runs[0].record.run.trainer)
    telling = [name for name in profile.directions for name in (EVAL_PREFIX + name, name)]
    telling += [name for names in profile.plots for name in names]
    # What training logs tells more than what the toolkit adds to it.
    added = sorted(found, key=lambda name: found[name][0].series.logged_as in toolkit_metrics())
    ordered = dict.fromkeys(name for name in (*telling, *added) if name in found)
    return {name: tuple(found[name]) for name in ordered if len(found[name]) > 1}


def compare_metrics(
    metrics: Mapping[str, Sequence[PlacedSeries]],
) -> Iterator[MetricComparison]:
    """Yield the comparison of each metric; differences are those from the first run that has it.

    What runs logged at places that do not overlap, such as a mean at the end of each, is left out.
    """
    for name, placed in metrics.items():
        begin = max(float(each.places[0]) for each in placed)
        end = min(float(each.places[-1]) for each in placed)
        if begin > end:
            continue
        direction = metric_direction(name, [each.run for each in placed])
        within = [_within(each, begin, end) for each in placed]
        differences = [None, *(_difference(within[0], each, direction) for each in within[1:])]
        yield MetricComparison(
            metric=name,
            direction=direction,
            begin=begin,
            end=end,
            runs={
                each.run.name: _run_metric(each, direction, difference)
                for each, difference in zip(within, differences, strict=True)
            },
        )


def metric_direction(metric: str, runs: Sequence[NamedRun]) -> Direction | None:
    """Return which way a metric is better, if the trainers of all runs agree on it."""
    plain = metric.removeprefix(EVAL_PREFIX)
    directions = {load_profile(run.record.run.trainer).directions.get(plain) for run in runs}
    return directions.pop() if len(directions) == 1 else None


def _within(placed: PlacedSeries, begin: float, end: float) -> PlacedSeries:
    """Return what lies within a range; the value before it is the one that holds at its begin."""
    first = max(int(np.searchsorted(placed.places, begin, side="right")) - 1, 0)
    last = int(np.searchsorted(placed.places, end, side="right"))
    series = placed.series
    kept = replace(series, steps=series.steps[first:last], values=series.values[first:last])
    return PlacedSeries(placed.run, kept, placed.places[first:last])


def _run_metric(
    placed: PlacedSeries, direction: Direction | None, difference: Difference | None
) -> RunMetric:
    series = placed.series
    level = level_at(series, int(series.steps[-1])) if len(series.steps) else None
    found = None
    if direction is not None:
        directions = {series.name.removeprefix(EVAL_PREFIX): direction}
        found = next(iter(best_steps({series.name: series}, directions, ())), None)
    return RunMetric(
        end=None if level is None else level.value,
        best=None if found is None else found.value,
        best_place=(
            None
            if found is None
            else float(placed.places[np.searchsorted(series.steps, found.step)])
        ),
        difference=difference,
    )


def _difference(
    first: PlacedSeries, other: PlacedSeries, direction: Direction | None
) -> Difference:
    """Compare at each place of the run that has fewer, each with the last value until there."""
    grid = min((first.places, other.places), key=len)
    begin = max((each.places[0] for each in (first, other) if len(each.places)), default=0.0)
    grid = grid[grid >= begin]
    if not len(grid) or not len(first.places) or not len(other.places):
        return Difference(None, 0, 0, Verdict.UNKNOWN)
    with np.errstate(over="ignore", invalid="ignore"):
        away = _values_at(other, grid) - _values_at(first, grid)
    away = away[np.isfinite(away)]
    if not len(away):
        return Difference(None, 0, 0, Verdict.UNKNOWN)
    median = float(np.median(away))
    agreeing = int(np.sum(np.sign(away) == np.sign(median)))
    reasons = None
    if direction is not None:
        found = metric_incomparable(first.series.name, (first.run, other.run))
        reasons = "; ".join(found) or None
    verdict = _verdict(away, median, agreeing, None if reasons else direction)
    return Difference(median, len(away), agreeing, verdict, reasons)


def _values_at(placed: PlacedSeries, grid: Numbers) -> Numbers:
    values: Numbers = placed.series.values[np.searchsorted(placed.places, grid, side="right") - 1]
    return values


def _verdict(away: Numbers, median: float, agreeing: int, direction: Direction | None) -> Verdict:
    if median == 0 or agreeing < _MOST_PLACES * len(away):
        return Verdict.NONE
    # Ties say nothing about the sign (Dixon and Mood 1946).
    if binomtest(agreeing, int(np.count_nonzero(away))).pvalue >= _SIGNIFICANT:
        every_one = agreeing == np.count_nonzero(away)
        return Verdict.UNKNOWN if every_one else Verdict.NONE
    if direction is None:
        return Verdict.HIGHER if median > 0 else Verdict.LOWER
    return Verdict.BETTER if (median > 0) == (direction == "up") else Verdict.WORSE
