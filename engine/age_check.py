"""Asks how long ago a metric was logged."""

from __future__ import annotations

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits


class AgeCheck(Check):
    """Compares the optimizer steps since the metric was last logged as a number.

    A metric that was never logged counts from the first row of the run.
    """

    def __init__(self, metric: str, label: str | None, limits: Limits) -> None:
        super().__init__(metric, label, limits, window=1)
        self._seen_at: int | None = None

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge any row, whether it holds the metric or not."""
        seen = self.metric in row.values or self.metric in row.non_finite
        if seen or self._seen_at is None:
            self._seen_at = step
        self.value = float(step - self._seen_at)
        self.met = self.limits.are_broken_by(self.value)
        return self.met

    def last_sound_step(self) -> int:
        """Return the step at which the metric was logged last."""
        return self._seen_at or 0
