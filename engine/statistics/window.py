"""What all window statistics share."""

from __future__ import annotations

import abc
import math
from collections import deque
from typing import ClassVar

from river.stats.base import RollingUnivariate


class WindowStatistic(RollingUnivariate[float], abc.ABC):
    """A statistic of the last ``window_size`` observations, and of nothing else.

    The value depends on the window's content only, never on what has left it, so that live,
    replayed and resumed runs agree to the bit. It is None until the window is full and where the
    statistic is undefined. Observations are finite floats; the door keeps others out.

    ``recompute`` is the definition. ``get`` may be faster and then differ by at most
    ``error_bound()``, which is ``relative_error`` times (1 + its absolute value); where ``exact``
    is true it never differs.
    """

    exact: ClassVar[bool] = True
    relative_error: float = 0.0

    def __init__(self, window_size: int) -> None:
        if window_size < 1:
            raise ValueError(f"window_size must be at least 1, not {window_size}")
        self._window_size = window_size
        self._values: deque[float] = deque(maxlen=window_size)

    @property
    def window_size(self) -> int:
        """The number of observations the statistic looks at."""
        return self._window_size

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        self._values.append(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is undefined."""
        return self.recompute()

    def recompute(self) -> float | None:
        """Return the value by its definition, from the content of the window."""
        if len(self._values) < self._window_size:
            return None
        # Values near 1e308, or squares of values near 1e154, leave the range of floats; fsum says
        # so by a ValueError where that made inf - inf.
        try:
            value = self._define()
        except (OverflowError, ValueError):
            return None
        return value if value is None or math.isfinite(value) else None

    def error_bound(self) -> float:
        """Return how far ``get`` may be from ``recompute``."""
        return self.relative_error * (1.0 + abs(self.get() or 0.0))

    @abc.abstractmethod
    def _define(self) -> float | None:
        """Return the value of a full window."""
