"""The best value a statistic has reached."""

from __future__ import annotations

from river.stats.base import Univariate


class RunningBest(Univariate[float]):
    """The highest value so far, or with ``highest=False`` the lowest; None before the first.

    >>> best = RunningBest(highest=True)
    >>> for x in (1.0, 3.0, 2.0):
    ...     best.update(x)
    >>> best.get()
    3.0
    """

    def __init__(self, *, highest: bool) -> None:
        self._highest = highest
        self._best: float | None = None

    def update(self, x: float) -> None:
        """Compare one value with the best so far."""
        if self.beaten_by(x):
            self._best = x

    def beaten_by(self, x: float) -> bool:
        """Return whether a value would be the new best."""
        if self._best is None:
            return True
        return x > self._best if self._highest else x < self._best

    def get(self) -> float | None:
        """Return the best value so far."""
        return self._best
