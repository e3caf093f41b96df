"""The median of a window."""

from __future__ import annotations

from river.stats import RollingQuantile

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Median(WindowStatistic):
    """The median, kept by river's ``RollingQuantile`` (sorted window, linear interpolation).

    >>> median = Median(3)
    >>> for x in (9.0, 1.0, 2.0, 1e30):
    ...     median.update(x)
    >>> median.get()
    2.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._quantile = RollingQuantile(q=0.5, window_size=window_size)

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        super().update(x)
        self._quantile.update(x)

    def _compute(self) -> float | None:
        return self._quantile.get()
