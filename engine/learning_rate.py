"""Follows what the learning rate does."""

from __future__ import annotations

from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.model import LearningRatePhase

METRIC = "learning_rate"


class LearningRateTracker:
    """Tells warm-up, plateau and decay apart by the logged learning rate.

    ``phase`` is None until two values were logged, but a first value of 0 is a warm-up: no schedule
    ends before it began.
    """

    def __init__(self) -> None:
        self.phase: LearningRatePhase | None = None
        self._newest: float | None = None

    def update(self, row: Row) -> None:
        """Take the learning rate of a row in, if it has one."""
        rate = row.values.get(METRIC)
        if rate is None:
            return
        before, self._newest = self._newest, rate
        if before is None:
            self.phase = LearningRatePhase.WARMUP if rate == 0.0 else None
        elif rate > before:
            self.phase = LearningRatePhase.WARMUP
        elif rate < before:
            self.phase = LearningRatePhase.DECAY
        else:
            self.phase = LearningRatePhase.CONSTANT
