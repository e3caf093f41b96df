"""Asks whether a metric was logged as NaN or infinite, or as null."""

from __future__ import annotations

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits
from post_training_toolkit.rules.condition import Comparison


class SignalCheck(Check):
    """Looks at the newest row that holds the metric; without the metric the last answer stays.

    A metric that was never logged gives no signal, so the answer is no and not unknown.
    """

    def __init__(self, metric: str, label: str | None, limits: Limits) -> None:
        super().__init__(metric, label, limits, window=1)
        self.met = False
        self._asks_non_finite = limits.comparison is Comparison.NON_FINITE
        self._newest_step = 0
        self._step_before = 0

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the row."""
        metric = self.metric
        if metric in row.values:
            self.met, self.value = False, None
        elif metric in row.non_finite:
            self.met, self.value = self._asks_non_finite, row.non_finite[metric]
        elif metric in row.missing:
            self.met, self.value = not self._asks_non_finite, None
        else:
            return self.met
        self._step_before, self._newest_step = self._newest_step, step
        return self.met

    def last_sound_step(self) -> int:
        """Return the step at which the metric was logged before the newest one."""
        return self._step_before
