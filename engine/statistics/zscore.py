"""How far the newest observation stands from those before it."""

from __future__ import annotations

from river.stats import RollingQuantile

from post_training_toolkit.engine.statistics.window import WindowStatistic

# The interquartile range of a normal distribution in standard deviations.
_IQR_OF_NORMAL = 1.3489795003921634


class ZScore(WindowStatistic):
    """The robust z-score of the newest observation against the window before it.

    ``(x - median) / (IQR / 1.349)``, median and interquartile range over the ``window_size``
    observations before ``x``, so that a spike does not hide itself. None while there are fewer, and
    where the range is 0.

    >>> zscore = ZScore(5)
    >>> for x in (1.0, 2.0, 3.0, 4.0, 5.0, 13.0):
    ...     zscore.update(x)
    >>> round(zscore.get(), 2)
    6.74
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._quartiles = tuple(
            RollingQuantile(q=q, window_size=window_size) for q in (0.25, 0.5, 0.75)
        )
        self._score: float | None = None

    def update(self, x: float) -> None:
        """Score one observation against the window, then take it in."""
        self._score = self._score_of(x) if len(self._values) == self._window_size else None
        super().update(x)
        for quartile in self._quartiles:
            quartile.update(x)

    def _score_of(self, x: float) -> float | None:
        lower, median, upper = (quartile.get() for quartile in self._quartiles)
        if lower is None or median is None or upper is None or upper <= lower:
            return None
        return (x - median) / ((upper - lower) / _IQR_OF_NORMAL)

    def _define(self) -> float | None:
        return self._score
