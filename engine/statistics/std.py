"""The sample standard deviation of a window."""

from __future__ import annotations

import math

from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic, careful_sum


class Std(RunningSumStatistic):
    """The sample standard deviation (n - 1), defined by two passes; None for a window of one.

    Two passes never give a negative variance, and exactly 0 on a flat window.

    >>> std = Std(4)
    >>> for x in (2.0, 4.0, 4.0, 6.0):
    ...     std.update(x)
    >>> round(std.get(), 6)
    1.632993
    """

    def _define(self) -> float | None:
        if self._window_size < 2:
            return None
        first = self._values[0]
        if all(x == first for x in self._values):
            # The rounded mean of equal values may differ from them in the last bit.
            return 0.0
        mean = math.fsum(self._values) / self._window_size
        squares = math.fsum((x - mean) ** 2 for x in self._values)
        return math.sqrt(squares / (self._window_size - 1))

    def _sum_up(self, deviations: list[float]) -> None:
        self._sum = careful_sum(deviations)
        self._squares = careful_sum([each * each for each in deviations])

    def _slide(self, old: float, new: float) -> None:
        self._sum += new - old
        self._squares += new * new - old * old

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is undefined."""
        size = self._window_size
        if len(self._values) < size or size < 2:
            return None
        variance = (self._squares - self._sum * self._sum / size) / (size - 1)
        # Sums that left the range of floats say nothing; x - x is 0 for finite numbers only.
        if variance - variance == 0.0:
            return math.sqrt(variance) if variance > 0.0 else 0.0
        return self.recompute()

    def _bound(self, deviation_error: float) -> float:
        # The squares are off by at most twice the largest deviation times the error of one.
        error = 8 * deviation_error * self._largest
        # Where the variance itself is 0, the root makes the most of its error. The definition
        # rounds its mean at the level of the window.
        return math.sqrt(2 * error) + 4e-16 * abs(self._origin)
