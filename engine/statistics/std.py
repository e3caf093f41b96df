"""The sample standard deviation of a window."""

from __future__ import annotations

import math

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Std(WindowStatistic):
    """The sample standard deviation (n - 1), by two passes; None for a window of one.

    Two passes never give a negative variance, and exactly 0 on a flat window.

    >>> std = Std(4)
    >>> for x in (2.0, 4.0, 4.0, 6.0):
    ...     std.update(x)
    >>> round(std.get(), 6)
    1.632993
    """

    def _compute(self) -> float | None:
        if self._window_size < 2:
            return None
        first = self._values[0]
        if all(x == first for x in self._values):
            # The rounded mean of equal values may differ from them in the last bit.
            return 0.0
        mean = math.fsum(self._values) / self._window_size
        squares = math.fsum((x - mean) ** 2 for x in self._values)
        return math.sqrt(squares / (self._window_size - 1))
