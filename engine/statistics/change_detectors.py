"""River's change detectors on a series made comparable: Page-Hinkley and ADWIN."""

from __future__ import annotations

import abc
import itertools
import math
import statistics
from collections import deque
from typing import Any, ClassVar, Literal

from river.stats.base import Univariate

# The interquartile range of a normal distribution in standard deviations.
_IQR_OF_NORMAL = 1.3489795003921634
# One value far away must not be all that a detector ever sees again: ADWIN goes blind after a 1e6.
_CLIP = 10.0
# The level that is told at a change is that of so many observations, and it is told as often.
_RECENT = 10
# An autocorrelation estimated from a short baseline is no better known than this.
_MOST_AUTOCORRELATION = 0.95

Direction = Literal["up", "down"]


class ChangeDetector(Univariate[float], abc.ABC):
    """Tells when a metric has left the level of its own beginning, and how far.

    Each observation becomes a distance from the baseline, the first ``window_size`` observations:
    (x - median) / (IQR / 1.349), divided by sqrt((1 + r) / (1 - r)) with r the lag-1
    autocorrelation of the baseline. Without that division neighbouring observations that are alike
    raise false alarms on most runs. The value is 0 while the detector reports nothing; for ten
    observations from a report on it is the mean of the last ten distances, in standard deviations
    of the baseline, if that lies in the asked direction. None until the baseline is full. Of a
    baseline that does not move the spread is taken as a thousandth of its level, or one if that is
    0.
    """

    exact: ClassVar[bool] = True
    relative_error = 0.0

    def __init__(self, window_size: int, direction: Direction = "up") -> None:
        if window_size < 10:
            raise ValueError(f"window_size must be at least 10, not {window_size}")
        if direction not in ("up", "down"):
            raise ValueError(f"direction must be 'up' or 'down', not {direction!r}")
        self._window_size = window_size
        self._sign = 1.0 if direction == "up" else -1.0
        self._baseline: list[float] = []
        self._center = 0.0
        self._spread = 0.0
        self._deflation = 1.0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._value: float | None = None
        self._news_left = 0
        self._detector = self._new_detector()

    @property
    def window_size(self) -> int:
        """The number of observations the baseline is made of."""
        return self._window_size

    def update(self, x: float) -> None:
        """Take one observation in."""
        if len(self._baseline) < self._window_size:
            self._baseline.append(x)
            if len(self._baseline) == self._window_size:
                self._settle()
            return
        distance = (x - self._center) / self._spread
        if not math.isfinite(distance):
            distance = math.copysign(_CLIP, distance) if distance == distance else 0.0
        self._recent.append(max(-1e6, min(distance, 1e6)))
        if self._feed(distance):
            self._news_left = _RECENT
        self._value = 0.0
        if self._news_left:
            self._news_left -= 1
            level = math.fsum(self._recent) / len(self._recent)
            self._value = level if self._sign * level > 0.0 else 0.0

    def get(self) -> float | None:
        """Return the value, or None before the baseline is full."""
        return self._value

    def recompute(self) -> float | None:
        """Return the value, which is its own definition."""
        return self._value

    def error_bound(self) -> float:
        """Return 0: the value is its own definition."""
        return 0.0

    def _settle(self) -> None:
        lower, self._center, upper = statistics.quantiles(self._baseline, n=4, method="inclusive")
        spread = (upper - lower) / _IQR_OF_NORMAL
        if not (spread > 0.0 and math.isfinite(spread)):
            spread = abs(self._center) / 1000 or 1.0
        self._spread = spread
        r = _autocorrelation(self._baseline)
        self._deflation = math.sqrt((1 + r) / (1 - r))
        self._value = 0.0
        # So that the detector knows the level that the observations to come may leave.
        for x in self._baseline:
            self._feed((x - self._center) / self._spread)

    def _feed(self, distance: float) -> bool:
        """Hand a distance to the detector, clipped; return whether it reports a change."""
        clipped = max(-_CLIP, min(distance / self._deflation, _CLIP))
        return self._changed(self._sign * clipped)

    @abc.abstractmethod
    def _new_detector(self) -> Any:
        """Return river's detector."""

    @abc.abstractmethod
    def _changed(self, distance: float) -> bool:
        """Feed a distance, upwards positive in the asked direction; return whether it changed."""


class PageHinkley(ChangeDetector):
    """The level has drifted from its beginning, by river's Page-Hinkley test.

    The test adds up what the distances exceed ``delta`` by and reports when the sum has risen by
    ``threshold``. With the defaults 0.5 and 15 and a baseline of 40, noise of autocorrelation 0,
    0.5 and 0.8 raises an alarm in 1, 6 and 13 % of runs of 400 logs, and a shift by two standard
    deviations is found in 100, 97 and 70 % of them, after 10, 17 and 22 logs (simulated 300 times).

    >>> detector = PageHinkley(20)
    >>> for k in range(60):
    ...     detector.update(k % 3 + (10.0 if k > 40 else 0.0))
    ...     if detector.get():
    ...         print(k)
    ...         break
    43
    """

    def __init__(
        self,
        window_size: int,
        direction: Direction = "up",
        delta: float = 0.5,
        threshold: float = 15.0,
    ) -> None:
        self._delta = delta
        self._threshold = threshold
        super().__init__(window_size, direction)

    def _new_detector(self) -> Any:
        # river.drift takes more than a second to import.
        from river.drift import PageHinkley as RiverPageHinkley

        return RiverPageHinkley(
            min_instances=1, delta=self._delta, threshold=self._threshold, alpha=1.0, mode="up"
        )

    def _changed(self, distance: float) -> bool:
        self._detector.update(distance)
        return bool(self._detector.drift_detected)


class Adwin(ChangeDetector):
    """The level differs between two parts of the recent past, by river's ADWIN.

    Distances are squashed to 0..1 by the logistic function, which is what ADWIN's bound asks for,
    and every observation is tested. ``delta`` is the significance. Slower than Page-Hinkley
    and quieter: on noise of autocorrelation 0, 0.5 and 0.8 an alarm in 0, 0 and 1 % of runs of 400
    logs, and a shift by two standard deviations found in 100, 100 and 99 % of them, after 43, 50
    and 62 logs (simulated 300 times).
    """

    def __init__(self, window_size: int, direction: Direction = "up", delta: float = 0.002) -> None:
        self._delta = delta
        super().__init__(window_size, direction)

    def _new_detector(self) -> Any:
        from river.drift import ADWIN

        return ADWIN(delta=self._delta, clock=1)  # type: ignore[no-untyped-call]

    def _changed(self, distance: float) -> bool:
        self._detector.update(1.0 / (1.0 + math.exp(-distance)))
        return bool(self._detector.drift_detected)


def _autocorrelation(values: list[float]) -> float:
    """Return the lag-1 autocorrelation, 0 where it is negative or undefined."""
    try:
        mean = math.fsum(values) / len(values)
        deviations = [x - mean for x in values]
        squares = math.fsum(each * each for each in deviations)
        products = math.fsum(first * second for first, second in itertools.pairwise(deviations))
    except (OverflowError, ValueError):
        return 0.0
    if not (squares > 0.0 and math.isfinite(squares) and math.isfinite(products)):
        return 0.0
    return min(max(products / squares, 0.0), _MOST_AUTOCORRELATION)
