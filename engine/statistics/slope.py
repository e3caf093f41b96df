"""The straight line through a window."""

from __future__ import annotations

import math

from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic, careful_sum


class Slope(RunningSumStatistic):
    """The slope of the least-squares line through the window, per observation; None below two.

    Says how fast, not how surely: noise has slopes too, see ``trend``.

    >>> slope = Slope(3)
    >>> for x in (5.0, 1.0, 3.0, 5.0):
    ...     slope.update(x)
    >>> slope.get()
    2.0
    """

    def _define(self) -> float | None:
        size = self._window_size
        if size < 2:
            return None
        # Twice the distance from the middle of the window is a whole number.
        products = math.fsum((2 * k - size + 1) * x for k, x in enumerate(self._values))
        return 6.0 * products / (size * (size * size - 1))

    def _sum_up(self, deviations: list[float]) -> None:
        self._sum = careful_sum(deviations)
        self._products = careful_sum([k * each for k, each in enumerate(deviations)])

    def _slide(self, old: float, new: float) -> None:
        last = self._window_size - 1
        self._products += last * new - (self._sum - old)
        self._sum += new - old

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is undefined."""
        size = self._window_size
        if len(self._values) < size or size < 2:
            return None
        products = self._products - self._sum * (size - 1) / 2
        value = 12.0 * products / (size * (size * size - 1))
        # Sums that left the range of floats say nothing; x - x is 0 for finite numbers only.
        return value if value - value == 0.0 else self.recompute()

    def _bound(self, deviation_error: float) -> float:
        # Each position carries a weight of at most the window size, the sum of squared distances
        # is of its third power; the definition itself rounds at the level of the window.
        level = 4e-16 * (abs(self._origin) + self._largest)
        return 24.0 * (deviation_error * 17.0 * self._window_size + level) / self._window_size
