"""The figures of a set of runs that a reader wants first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from post_training_toolkit.engine.backtest_score import ScoredRun
from post_training_toolkit.engine.backtest_totals import totals
from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class Headline:
    """How somebody did on a set of runs.

    ``to_detect`` are the runs in which something is expected, ``detected`` those of them in which
    nothing of it was missed. False alarms are counted from medium up, ``severe`` ones from high up.
    ``delay`` is the median number of logged steps from onset to detection.
    """

    faulty: int
    to_detect: int
    detected: int
    healthy: int
    healthy_steps: int
    false_in_healthy: int
    severe_in_healthy: int
    false_in_faulty: int
    delay: float | None

    @property
    def false_per_1000_healthy_steps(self) -> float | None:
        """False alarms of healthy runs by their length; None without healthy runs."""
        return 1000 * self.false_in_healthy / self.healthy_steps if self.healthy_steps else None

    @property
    def false_per_faulty_run(self) -> float | None:
        """False alarms of faulty runs by their number; None without faulty runs."""
        return self.false_in_faulty / self.faulty if self.faulty else None


def headline(runs: Sequence[ScoredRun]) -> Headline:
    """Sum a set of scored runs up."""
    sums = totals(runs)
    expecting = [run for run in runs if run.labels.expected]
    severe = [
        each
        for run in runs
        if run.healthy
        for each in run.insights
        if each.is_false_alarm and each.severity.rank >= Severity.HIGH.rank
    ]
    return Headline(
        faulty=sums.runs - sums.healthy_runs,
        to_detect=len(expecting),
        detected=sum(is_detected(run) for run in expecting),
        healthy=sums.healthy_runs,
        healthy_steps=sums.healthy_steps,
        false_in_healthy=sums.false_alarms_in_healthy_runs,
        severe_in_healthy=len(severe),
        false_in_faulty=sums.false_alarms - sums.false_alarms_in_healthy_runs,
        delay=sums.delay,
    )


def is_detected(run: ScoredRun) -> bool:
    """Tell whether all that should be raised in a run was, as its ``match`` asks for."""
    return bool(run.labels.expected) and run.misses == 0
