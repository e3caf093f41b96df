"""How surely a window rises or falls."""

from __future__ import annotations

import math

from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic, careful_sum

_BLOCKS = 8
# So that the middle of a residual that is zero does not make everything infinitely sure.
_SMALLEST_RESIDUAL = 1e-12


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
        means = [each / self._length for each in self._sums]
        slope, residual = _line(means)
        # A residual within rounding of the means is not to be trusted; the definition is.
        if math.inf > residual > 1e6 * self._mean_error:
            return _t_value_of(slope, residual)
        return self.recompute()

    def _bound(self, deviation_error: float) -> float:
        self._mean_error = _BLOCKS * (deviation_error + 4e-16 * abs(self._origin))
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
    spread = math.sqrt((_BLOCKS - 2) * (_BLOCKS * (_BLOCKS * _BLOCKS - 1) / 12))
    return spread * slope / max(residual, _SMALLEST_RESIDUAL * abs(slope))


def _line(means: list[float]) -> tuple[float, float]:
    """Return slope and root of the sum of squared residuals of the line through the means.

    Both are NaN where sums of huge means leave the range of floats.
    """
    middle = (_BLOCKS - 1) / 2
    squares = _BLOCKS * (_BLOCKS * _BLOCKS - 1) / 12
    try:
        level = math.fsum(means) / _BLOCKS
        slope = math.fsum((k - middle) * (mean - level) for k, mean in enumerate(means)) / squares
        residuals = [mean - level - slope * (k - middle) for k, mean in enumerate(means)]
        return slope, math.sqrt(math.fsum(each * each for each in residuals))
    except (OverflowError, ValueError):
        return math.nan, math.nan
