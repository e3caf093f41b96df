"""Which statistics and rules a row goes to, worked out once for each set of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.detectors import Detectors
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.feeds import Feed, PairFeed
from post_training_toolkit.engine.judging import PreparedDetector, prepare
from post_training_toolkit.engine.shared_statistics import SharedStatistics

# Rows come in a handful of shapes; more than this means that names change at every step.
_MAX_ROUTES = 200

_Shape = tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]


# A metric and its statistics, looked up beforehand, since this is gone through at every row.
PreparedFeed = tuple[str, tuple[Callable[[float], None], ...]]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a row goes: first to what takes its values in, then to the rules that judge it.

    ``shape`` holds the metrics of the row that are numbers.
    """

    shape: tuple[str, ...]
    feeds: tuple[PreparedFeed, ...]
    pair_feeds: tuple[PairFeed, ...]
    detectors: tuple[PreparedDetector, ...]


class Routes:
    """Finds the route of a row; ``logged`` holds every metric seen so far."""

    def __init__(self, detectors: Detectors, statistics: SharedStatistics) -> None:
        self.logged: set[str] = set()
        self._detectors = detectors
        self._statistics = statistics
        self._routes: dict[_Shape, Route] = {}

    def route(self, row: Row) -> Route:
        """Return what takes the row in."""
        shape = (tuple(row.values), tuple(row.non_finite), row.missing)
        return self._routes.get(shape) or self._work_out(shape)

    def forget(self) -> None:
        """Work every route out anew, after the detectors have changed."""
        self._routes.clear()

    def depending_on(self, part: str) -> list[Detector]:
        """Return the detectors that cannot go on without a part that failed."""
        broken = {
            metric
            for feed in self._feeds()
            if feed_part(feed.metrics) == part
            for metric in feed.metrics
        }
        return [
            detector
            for detector in self._detectors.active
            if detector_part(detector) == part or not broken.isdisjoint(detector.metrics)
        ]

    def _work_out(self, shape: _Shape) -> Route:
        values, non_finite, missing = shape
        keys = {*values, *non_finite, *missing}
        new = [key for key in (*values, *non_finite, *sorted(missing)) if key not in self.logged]
        if new:
            self.logged.update(new)
            before = len(self._detectors.active)
            self._detectors.meet(new)
            if len(self._detectors.active) != before:
                self._routes.clear()
        read = {metric for detector in self._detectors.active for metric in detector.metrics}
        fed = read.intersection(values)
        route = Route(
            shape=values,
            feeds=tuple(
                (metric, tuple(feed.updates))
                for metric, feed in self._statistics.feeds.items()
                if metric in fed
            ),
            pair_feeds=tuple(
                feed for pair, feed in self._statistics.pair_feeds.items() if fed.issuperset(pair)
            ),
            detectors=tuple(
                prepare(detector)
                for detector in self._detectors.active
                if detector.woken_by_every_row
                or not detector.woken_by_numbers.isdisjoint(values)
                or not detector.woken_by_signals.isdisjoint(keys)
            ),
        )
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        self._routes[shape] = route
        return route

    def _feeds(self) -> tuple[Feed, ...]:
        return (*self._statistics.feeds.values(), *self._statistics.pair_feeds.values())


def feed_part(metrics: Iterable[str]) -> str:
    """Return the name under which a failure of what takes metrics in is reported."""
    return f"statistics of {' and '.join(metrics)}"


def detector_part(detector: Detector) -> str:
    """Return the name under which a failure of a rule is reported."""
    return f"rule {detector.name}"
