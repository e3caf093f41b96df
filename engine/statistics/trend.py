"""How surely a window rises or falls."""

from __future__ import annotations

import math
from operator import mul

from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic, careful_sum

_BLOCKS = 8
# The distances of the blocks from the middle one, and the sum of their squares.
_PLACES = [k - (_BLOCKS - 1) / 2 for k in range(_BLOCKS)]
_SQUARES = _BLOCKS * (_BLOCKS * _BLOCKS - 1) / 12
# So that the middle of a residual that is zero does not make everything infinitely sure.
_SMALLEST_RESIDUAL = 1e-12
# A million times this is the smallest residual whose square has all its digits.
_SMALLEST_ERROR = 1e-150


class Trend(RunningSumStatistic):
    """The t value of the slope through the means of eight equal blocks of the window.

    Neighbouring observations are alike in training logs, which makes the usual test of a slope see
    trends in noise. Means of blocks are far less alike: beyond 4 lie 0.5 % of windows of 50 of
    white noise, 1.3 % at an autocorrelation of 0.5 and 3.6 % at 0.8, where a window of 200 has 1 %
    (simulated 2000 times each). Needs a window of at least 16; where it is no multiple of eight,
    its oldest observations are left out.

    >>> trend = Trend(16)
    >>> for k in range(16):
    ...     trend.update(k + 0.5 * (-1) ** (k // 2))
    >>> trend.get() > 10
    True
    """

    def __init__(self, window_size: int) -> None:
        if window_size < 2 * _BLOCKS:
            raise ValueError(f"window_size must be at least {2 * _BLOCKS}, not {window_size}")
        super().__init__(window_size)
        self._length = window_size // _BLOCKS
        self._skipped = window_size % _BLOCKS
        # The deviations of the window in a ring; ``_start`` is the oldest.
        self._ring: list[float] = []
        self._start = 0
        self._sums = [0.0] * _BLOCKS

    def _define(self) -> float | None:
        values = list(self._values)[self._skipped :]
        length = self._length
        means = [
            math.fsum(values[block * length : (block + 1) * length]) / length
            for block in range(_BLOCKS)
        ]
        return _t_value(means)

    def _sum_up(self, deviations: list[float]) -> None:
        self._ring, self._start = deviations, 0
        length, skipped = self._length, self._skipped
        self._sums = [
            careful_sum(deviations[skipped + block * length : skipped + (block + 1) * length])
            for block in range(_BLOCKS)
        ]

    def _slide(self, old: float, new: float) -> None:
        ring, start, size, length = self._ring, self._start, self._window_size, self._length
        sums = self._sums
        leaving = ring[(start + self._skipped) % size]
        for block in range(_BLOCKS - 1):
            entering = ring[(start + self._skipped + (block + 1) * length) % size]
            sums[block] += entering - leaving
            leaving = entering
        sums[-1] += new - leaving
        ring[start] = new
        self._start = (start + 1) % size

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is undefined."""
        if len(self._values) < self._window_size:
            return None
        slope, residual = self._quick_line()
        # A residual within rounding of the means is not to be trusted; the definition is.
        if math.inf > residual > 1e6 * self._mean_error:
            return _t_value_of(slope, residual)
        return self.recompute()

    def _quick_line(self) -> tuple[float, float]:
        """Return what ``_line`` does, but for rounding, in half the time."""
        sums = self._sums
        middle = sum(sums) / _BLOCKS
        slope = sum(map(mul, _PLACES, sums)) / _SQUARES
        residuals = [
            each - middle - slope * place for place, each in zip(_PLACES, sums, strict=True)
        ]
        residual = math.sqrt(sum([each * each for each in residuals]))
        return slope / self._length, residual / self._length

    def _bound(self, deviation_error: float) -> float:
        self._mean_error = _BLOCKS * (deviation_error + 4e-16 * abs(self._origin)) + _SMALLEST_ERROR
        # Slope and residual are off by a few errors of a mean, and the residual is a million.
        return 1e-4


def _t_value(means: list[float]) -> float | None:
    """Return slope / standard error of the line through the means; None on a flat window."""
    return _t_value_of(*_line(means))


def _t_value_of(slope: float, residual: float) -> float | None:
    if not math.isfinite(slope) or not math.isfinite(residual):
        return None
    if slope == 0.0:
        return None if residual == 0.0 else 0.0
    spread = math.sqrt((_BLOCKS - 2) * _SQUARES)
    return spread * slope / max(residual, _SMALLEST_RESIDUAL * abs(slope))


def _line(means: list[float]) -> tuple[float, float]:
    """Return slope and root of the sum of squared residuals of the line through the means.

    Both are NaN where sums of huge means leave the range of floats.
    """
    try:
        level = math.fsum(means) / _BLOCKS
        pairs = list(zip(_PLACES, means, strict=True))
        slope = math.fsum(place * (mean - level) for place, mean in pairs) / _SQUARES
        residuals = [mean - level - slope * place for place, mean in pairs]
        return slope, math.sqrt(math.fsum(each * each for each in residuals))
    except (OverflowError, ValueError):
        return math.nan, math.nan
