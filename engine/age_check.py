"""Asks how long ago a metric was logged."""

from __future__ import annotations

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits


class AgeCheck(Check):
    """Compares the optimizer steps since the metric was last logged as a number.

    Unknown until the metric was seen once; one that never is belongs to the coverage.
    """

    def __init__(self, metric: str, label: str | None, limits: Limits) -> None:
        super().__init__(metric, label, limits, window=1)
        self._seen_at: int | None = None

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge any row, whether it holds the metric or not."""
        if self.metric in row.values or self.metric in row.non_finite:
            self._seen_at = step
        if self._seen_at is None:
            return None
        self.value = float(step - self._seen_at)
        self.met = self.limits.are_broken_by(self.value)
        return self.met

    def last_sound_step(self) -> int:
        """Return the step at which the metric was logged last."""
        return self._seen_at or 0
