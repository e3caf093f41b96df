"""Compares the curves before a resume with those after it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from statistics import fmean, stdev
from typing import Any

from post_training_toolkit.engine.door import Row

# As many logs on either side give the levels, four times as many before give the usual scatter.
LOGS = 5
_SCATTER_LOGS = 4 * LOGS
# Empirical: a mean of five normal values lies beyond four deviations of one value never by chance.
_JUMP = 4.0
_SMALLEST_SHARE = 0.1
_COMPARED = (
    "loss",
    "policy_loss",
    "value_loss",
    "learning_rate",
    "entropy",
    "reward",
    "reward_margin",
    "win_rate",
    "kl",
)


class SeamComparison:
    """Takes the rows after a resume and tells which curves do not continue where they were.

    A curve has jumped when the mean of its first five logs differs from that of the last five by
    more than four standard deviations of the last twenty, and by a tenth of it (empirical). It
    takes rows with canonical metrics, those before the resume when it is made.
    """

    def __init__(self, before: Iterable[Row]) -> None:
        self._before: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_SCATTER_LOGS))
        for row in before:
            for metric in _COMPARED:
                if metric in row.values:
                    self._before[metric].append(row.values[metric])
        self._after: dict[str, list[float]] = {
            metric: [] for metric, values in self._before.items() if len(values) >= LOGS
        }

    @property
    def complete(self) -> bool:
        """Whether enough rows have come to compare every curve that can be."""
        return all(len(values) >= LOGS for values in self._after.values())

    def add(self, row: Row) -> None:
        """Take one row after the resume in."""
        for metric, values in self._after.items():
            if metric in row.values and len(values) < LOGS:
                values.append(row.values[metric])

    def curves(self) -> list[dict[str, Any]]:
        """Return level before and after for each metric with enough logs, and whether it jumped."""
        return [
            self._curve(metric, values)
            for metric, values in self._after.items()
            if len(values) >= LOGS
        ]

    def _curve(self, metric: str, values: list[float]) -> dict[str, Any]:
        earlier = list(self._before[metric])
        before, after = fmean(earlier[-LOGS:]), fmean(values)
        difference = abs(after - before)
        scale = max(abs(before), abs(after))
        # A flat curve has no scatter to measure by: whatever is more than rounding is a jump.
        beyond_scatter = difference > max(_JUMP * stdev(earlier), scale * 1e-6)
        jumped = beyond_scatter and difference > _SMALLEST_SHARE * scale
        return {"metric": metric, "before": before, "after": after, "jumped": jumped}
