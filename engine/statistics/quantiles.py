"""Quantiles of a window, by river's sorted windows."""

from __future__ import annotations

from river.stats import RollingIQR, RollingQuantile

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Quantile(WindowStatistic):
    """The value that a share ``q`` of the window stays below, with linear interpolation.

    Kept by river's ``RollingQuantile``, which holds the window sorted.

    >>> upper = Quantile(5, q=0.75)
    >>> for x in (1e30, 4.0, 1.0, 3.0, 5.0, 2.0):
    ...     upper.update(x)
    >>> upper.get()
    4.0
    """

    def __init__(self, window_size: int, q: float) -> None:
        super().__init__(window_size)
        self._q = q
        self._quantile = RollingQuantile(q=q, window_size=window_size)

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        self._values.append(x)
        self._quantile.update(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is no finite number."""
        if len(self._values) < self._window_size:
            return None
        value = self._quantile.get()
        # x - x is 0 for finite numbers only.
        return value if value is not None and value - value == 0.0 else None

    def _define(self) -> float | None:
        return self._quantile.get()


class Median(Quantile):
    """The median of the window.

    >>> median = Median(3)
    >>> for x in (9.0, 1.0, 2.0, 1e30):
    ...     median.update(x)
    >>> median.get()
    2.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size, q=0.5)


class InterquartileRange(WindowStatistic):
    """The distance between the quartiles of the window: the spread of its middle half.

    A spike does not move it. For a normal distribution it is 1.349 standard deviations.

    >>> spread = InterquartileRange(5)
    >>> for x in (1.0, 2.0, 3.0, 4.0, 1000.0):
    ...     spread.update(x)
    >>> spread.get()
    2.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._range = RollingIQR(window_size=window_size)

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        self._values.append(x)
        self._range.update(x)

    def _define(self) -> float | None:
        return self._range.get()
