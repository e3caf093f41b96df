"""How two metrics move together."""

from __future__ import annotations

import math
import sys
from collections import deque
from typing import ClassVar

from river.stats.base import Bivariate

_ROUNDING = 16 * sys.float_info.epsilon


class Correlation(Bivariate):
    """Pearson's correlation of two metrics over the rows that hold both, from -1 to 1.

    Of their changes from row to row: two series that merely trend correlate by chance, their
    changes do not. With ``levels`` of the values themselves. None before ``window_size`` pairs, and
    where one of the two does not move.

    >>> together = Correlation(4)
    >>> for x, y in [(0.0, 5.0), (1.0, 4.0), (3.0, 2.0), (4.0, 1.0), (6.0, -1.0)]:
    ...     together.update(x, y)
    >>> round(together.get(), 6)
    -1.0
    """

    exact: ClassVar[bool] = False
    relative_error = 2e-3

    def __init__(self, window_size: int, levels: bool = False) -> None:
        if window_size < 2:
            raise ValueError(f"window_size must be at least 2, not {window_size}")
        self._window_size = window_size
        self._levels = levels
        self._before: tuple[float, float] | None = None
        self._pairs: deque[tuple[float, float]] = deque(maxlen=window_size)
        self._origin = (0.0, 0.0)
        self._largest = (0.0, 0.0)
        # Sums of the deviations x, y, and of x*x, y*y, x*y.
        self._sums = [0.0] * 5
        self._slides = 0
        self._slides_left = 0

    @property
    def window_size(self) -> int:
        """The number of pairs the statistic looks at."""
        return self._window_size

    def update(self, x: float, y: float) -> None:
        """Take one pair in; the oldest leaves a full window."""
        pair = (x, y)
        if not self._levels:
            before, self._before = self._before, pair
            if before is None:
                return
            pair = (x - before[0], y - before[1])
        pairs = self._pairs
        if self._slides_left == 0:
            pairs.append(pair)
            if len(pairs) == self._window_size:
                self._start_anew()
            return
        self._slides_left -= 1
        self._slides += 1
        old = pairs[0]
        pairs.append(pair)
        self._slide(old, pair)

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is undefined."""
        if len(self._pairs) < self._window_size:
            return None
        # Within rounding of a metric that does not move the sums cannot tell.
        return self.recompute() if self.error_bound() > 1e-3 else self._from_sums()

    def recompute(self) -> float | None:
        """Return the value by its definition, from the content of the window."""
        size = self._window_size
        if len(self._pairs) < size:
            return None
        xs, ys = zip(*self._pairs, strict=True)
        if min(xs) == max(xs) or min(ys) == max(ys):
            return None
        try:
            mean_x, mean_y = math.fsum(xs) / size, math.fsum(ys) / size
            of_x = math.fsum((x - mean_x) ** 2 for x in xs)
            of_y = math.fsum((y - mean_y) ** 2 for y in ys)
            both = math.fsum((x - mean_x) * (y - mean_y) for x, y in self._pairs)
        except (OverflowError, ValueError):
            return None
        scale = math.sqrt(of_x) * math.sqrt(of_y)
        if not (scale > 0.0 and math.isfinite(scale) and math.isfinite(both)):
            return None
        return min(max(both / scale, -1.0), 1.0)

    def error_bound(self) -> float:
        """Return how far ``get`` may be from ``recompute``; at most 2."""
        if len(self._pairs) < self._window_size:
            return 0.0
        x, y = self._largest
        error = _ROUNDING * (self._slides + self._window_size) * self._window_size
        of_x, of_y, _ = self._moments()
        # The definition rounds its means at the level of the window.
        level_x, level_y = (_ROUNDING * abs(origin) for origin in self._origin)
        # Squares of the smallest numbers have no digits left.
        doubt_x = error * x * x + self._window_size * level_x * level_x + sys.float_info.min
        doubt_y = error * y * y + self._window_size * level_y * level_y + sys.float_info.min
        # Twice, so that the definition's own rounding is covered too.
        if not (math.inf > of_x > 2 * doubt_x and math.inf > of_y > 2 * doubt_y):
            return 2.0
        doubt = error * (x / math.sqrt(of_x)) * (y / math.sqrt(of_y))
        return min(2.0, doubt_x / of_x + doubt_y / of_y + doubt)

    def _moments(self) -> tuple[float, float, float]:
        x, y, xx, yy, xy = self._sums
        size = self._window_size
        return xx - x * x / size, yy - y * y / size, xy - x * y / size

    def _from_sums(self) -> float | None:
        of_x, of_y, both = self._moments()
        return min(max(both / (math.sqrt(of_x) * math.sqrt(of_y)), -1.0), 1.0)

    def _start_anew(self) -> None:
        middle = self._window_size // 2
        self._origin = (self._pairs[middle][0], self._pairs[middle][1])
        self._slides, self._slides_left = 0, self._window_size
        self._sums = [0.0] * 5
        self._largest = (0.0, 0.0)
        for pair in self._pairs:
            self._add(pair, 1.0)

    def _slide(self, old: tuple[float, float], new: tuple[float, float]) -> None:
        largest = self._largest
        self._add(old, -1.0)
        self._add(new, 1.0)
        if self._largest[0] > 1e3 * largest[0] or self._largest[1] > 1e3 * largest[1]:
            # The sums are computed anew by the update that takes the spike out.
            self._slides_left = self._window_size - 1

    def _add(self, pair: tuple[float, float], sign: float) -> None:
        x, y = pair[0] - self._origin[0], pair[1] - self._origin[1]
        sums = self._sums
        sums[0] += sign * x
        sums[1] += sign * y
        sums[2] += sign * x * x
        sums[3] += sign * y * y
        sums[4] += sign * x * y
        self._largest = (max(self._largest[0], abs(x)), max(self._largest[1], abs(y)))
