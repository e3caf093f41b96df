"""Statistics that never let go of an observation."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from river import stats
from river.stats.base import Univariate

# Before so many observations a whole-run statistic says nothing.
ENOUGH = 5
# What river's statistics raise on the way to a value that does not exist.
_UNDEFINED = (ArithmeticError, ValueError)


class RiverStatistic(Univariate[float]):
    """A statistic of river as it comes: of everything since the start of the run.

    It costs the same at every step, and is what it is defined to be, so ``recompute`` gives the
    same; a spike counts for ever. None before ``enough`` observations and where it is undefined.

    >>> largest = RiverStatistic(stats.Max())
    >>> for x in (1.0, 7.0, 2.0, 3.0, 4.0):
    ...     largest.update(x)
    >>> largest.get()
    7.0
    """

    exact: ClassVar[bool] = True
    relative_error = 0.0

    def __init__(self, statistic: Any, enough: int = ENOUGH) -> None:
        self._statistic = statistic
        self._enough = enough
        self._seen = 0

    def update(self, x: float) -> None:
        """Take one observation in."""
        self._seen += 1
        self._statistic.update(x)

    def get(self) -> float | None:
        """Return the value, or None while there is none."""
        if self._seen < self._enough:
            return None
        try:
            value: float | None = self._statistic.get()
        except _UNDEFINED:
            return None
        # x - x is 0 for finite numbers only.
        return value if value is not None and value - value == 0.0 else None

    def recompute(self) -> float | None:
        """Return the value."""
        return self.get()

    def error_bound(self) -> float:
        """Return 0: the value is its own definition."""
        return 0.0


class RunStd(RiverStatistic):
    """The sample standard deviation of the whole run.

    >>> spread = RunStd()
    >>> for x in (2.0, 4.0, 4.0, 4.0, 6.0):
    ...     spread.update(x)
    >>> round(spread.get(), 6)
    1.414214
    """

    def __init__(self) -> None:
        super().__init__(stats.Var())

    def get(self) -> float | None:
        """Return the value, or None while there is none."""
        variance = super().get()
        return None if variance is None else math.sqrt(max(variance, 0.0))


class ExponentialMean(RiverStatistic):
    """The exponentially weighted mean: newer observations count more.

    Of the fading factor 2 / (window + 1), with which the newest ``window`` observations carry 86 %
    of the weight. Kept by river's ``EWMean``; None before ``window`` observations.

    >>> mean = ExponentialMean(3)
    >>> for x in (1.0, 1.0, 3.0):
    ...     mean.update(x)
    >>> mean.get()
    2.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(stats.EWMean(fading_factor=2.0 / (window_size + 1)), enough=window_size)
