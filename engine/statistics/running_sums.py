"""Statistics from sums that slide along with the window."""

from __future__ import annotations

import abc
import math
import sys
from typing import ClassVar

from post_training_toolkit.engine.statistics.window import WindowStatistic

# Twice the relative error of one rounded operation, since each slide rounds more than once.
_ROUNDING = 4 * sys.float_info.epsilon
# How many windows pass before the sums are computed anew: an error of a few thousand roundings is
# nothing, and the cost of it is spread over so many updates.
_SLIDES = 16
# A value so many times larger than the others takes their digits with it when it is taken out.
_SPIKE = 1e3


class RunningSumStatistic(WindowStatistic, abc.ABC):
    """A window statistic from running sums, which costs the same for every window size.

    The sums are of deviations from an origin inside the window. They are computed anew from the
    window after every ``_SLIDES`` times ``window_size`` slides, and as soon as a spike has left, so
    that rounding errors neither pile up nor outlive what caused them. The errors left are bounded
    by the number of slides since then and the largest deviation.
    """

    exact: ClassVar[bool] = False

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._origin = 0.0
        self._largest = 0.0
        # What a newcomer must exceed a thousand times to be a spike.
        self._usual = 0.0
        self._slides_left = 0

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        values = self._values
        if self._slides_left == 0:
            values.append(x)
            if len(values) == self._window_size:
                self._start_anew()
            return
        self._slides_left -= 1
        old = values[0] - self._origin
        values.append(x)
        new = x - self._origin
        if not -self._largest <= new <= self._largest:
            self._meet_larger(abs(new))
        self._slide(old, new)

    def _meet_larger(self, size: float) -> None:
        if size > _SPIKE * self._usual:
            # The sums are computed anew by the update that takes the spike out.
            self._slides_left = self._window_size - 1
            self._usual = size
        self._largest = size
        self._set_error()

    def _set_error(self) -> None:
        # As if all slides until the next start were done, so that it need not follow each.
        roundings = (_SLIDES + 1) * self._window_size
        self.relative_error = self._bound(_ROUNDING * roundings * self._largest)

    def _start_anew(self) -> None:
        values = self._values
        # Never the spike, if there is another value.
        self._origin = min(values, key=abs)
        deviations = [x - self._origin for x in values]
        sizes = [abs(deviation) for deviation in deviations]
        self._largest = self._usual = max(sizes)
        self._set_error()
        self._slides_left = _SLIDES * self._window_size
        limit = _SPIKE * sorted(sizes)[(self._window_size - 1) // 2]
        if self._largest > limit:
            # Until the newest of the spikes leaves. They cost at most two passes a window: the
            # next to be waited for has come in since.
            newest = next(k for k, size in enumerate(reversed(sizes)) if size > limit)
            self._slides_left = self._window_size - 1 - newest
        self._sum_up(deviations)

    @abc.abstractmethod
    def _sum_up(self, deviations: list[float]) -> None:
        """Compute the sums of a full window anew."""

    @abc.abstractmethod
    def _slide(self, old: float, new: float) -> None:
        """Take one deviation out of the sums and another one in."""

    @abc.abstractmethod
    def _bound(self, deviation_error: float) -> float:
        """Return the relative error of the value when a mean of deviations is off by so much."""


def careful_sum(numbers: list[float]) -> float:
    """Return the correctly rounded sum, NaN where it leaves the range of floats."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return math.nan
