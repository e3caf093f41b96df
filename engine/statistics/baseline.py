"""A metric's own early level."""

from __future__ import annotations

import statistics
from typing import ClassVar

from river.stats.base import Univariate


class Baseline(Univariate[float]):
    """The median of the first ``size`` observations; None before that many, constant afterwards.

    >>> baseline = Baseline(3)
    >>> for x in (2.0, 9.0, 3.0, 1000.0):
    ...     baseline.update(x)
    >>> baseline.get()
    3.0
    """

    exact: ClassVar[bool] = True
    relative_error = 0.0

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: list[float] = []
        self._level: float | None = None

    def update(self, x: float) -> None:
        """Take one observation in while the baseline is not settled."""
        if self._level is not None:
            return
        self._values.append(x)
        if len(self._values) == self._size:
            self._level = statistics.median(self._values)

    def get(self) -> float | None:
        """Return the early level, or None while it is not settled."""
        return self._level

    def recompute(self) -> float | None:
        """Return the early level, which is its own definition."""
        return self._level

    def error_bound(self) -> float:
        """Return 0: the level is its own definition."""
        return 0.0
