"""The arithmetic mean of a window."""

from __future__ import annotations

import math
from fractions import Fraction

from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic, careful_sum


class Mean(RunningSumStatistic):
    """The arithmetic mean of the window, correctly rounded.

    So the mean of a level window is that level, which is strictly above or below no threshold that
    equals it. A rounded sum over the size misses it (three times 0.1), and a running sum alone, as
    in ``river.utils.Rolling``, keeps a share of every spike for ever too.

    >>> mean = Mean(2)
    >>> for x in (1e30, 1.0, 2.0):
    ...     mean.update(x)
    >>> mean.get()
    1.5
    """

    def _define(self) -> float:
        total = math.fsum(self._values)
        left_out = math.fsum((*self._values, -total))
        return float((Fraction(total) + Fraction(left_out)) / self._window_size)

    def _sum_up(self, deviations: list[float]) -> None:
        self._sum = careful_sum(deviations)

    def _slide(self, old: float, new: float) -> None:
        self._sum += new - old

    def get(self) -> float | None:
        """Return the value, or None before the window is full."""
        if len(self._values) < self._window_size:
            return None
        value = self._origin + self._sum / self._window_size
        # Sums that left the range of floats say nothing; x - x is 0 for finite numbers only.
        return value if value - value == 0.0 else self.recompute()

    def _bound(self, deviation_error: float) -> float:
        # The last addition rounds once more, relative to the origin.
        return deviation_error + 4e-16 * abs(self._origin)
