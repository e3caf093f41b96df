"""Which statistics and rules a row goes to, worked out once for each set of keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.detectors import Detectors
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.feeds import Feed
from post_training_toolkit.engine.shared_statistics import SharedStatistics

# Rows come in a handful of shapes; more than this means that names change at every step.
_MAX_ROUTES = 200

_Shape = tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """Named actions for a row: first what takes its values in, then the rules that judge it."""

    feeds: tuple[tuple[str, Callable[[int, Row], None]], ...]
    detectors: tuple[tuple[str, Callable[[int, Row], Event | None]], ...]


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
            metric for feed in self._feeds() if feed_part(feed) == part for metric in feed.metrics
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
        route = Route(
            feeds=tuple(
                (feed_part(feed), feed.take)
                for feed in self._feeds()
                if read.issuperset(feed.metrics) and set(values).issuperset(feed.metrics)
            ),
            detectors=tuple(
                (detector_part(detector), detector.observe)
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


def feed_part(feed: Feed) -> str:
    """Return the name under which a failure of a feed is reported."""
    return f"statistics of {' and '.join(feed.metrics)}"


def detector_part(detector: Detector) -> str:
    """Return the name under which a failure of a rule is reported."""
    return f"rule {detector.name}"
