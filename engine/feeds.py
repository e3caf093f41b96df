"""Takes logged values to the statistics that look at them."""

from __future__ import annotations

from collections.abc import Callable


class MetricFeed:
    """The statistics that take in one metric."""

    def __init__(self, metric: str) -> None:
        self.metrics = (metric,)
        self.updates: list[Callable[[float], None]] = []


class PairFeed:
    """The statistics that take in two metrics that are logged in the same row."""

    def __init__(self, first: str, second: str) -> None:
        self.metrics = (first, second)
        self.updates: list[Callable[[float, float], None]] = []


Feed = MetricFeed | PairFeed
