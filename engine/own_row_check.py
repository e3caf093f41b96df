"""Compares the value of one row with limits, where rows have nothing to do with each other."""

from __future__ import annotations

from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.value_check import ValueCheck


class OwnRowCheck(ValueCheck):
    """Has no answer for a row without the metric, whatever an earlier row had.

    Rows of a training follow each other, and what was logged last still stands. Episodes of agents
    do not, and the reward of one says nothing about the next.
    """

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the value of this row."""
        if self.metric not in row.values:
            self.value = self.met = None
            return None
        return super().evaluate(step, row)
