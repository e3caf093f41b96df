"""Takes logged values to the statistics that look at them."""

from __future__ import annotations

from collections.abc import Callable

from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.observations import Observations


class MetricFeed:
    """Feeds one metric to its observations and its statistics."""

    def __init__(self, metric: str) -> None:
        self.metrics = (metric,)
        self.observations = Observations()
        self._metric = metric
        self.updates: list[Callable[[float], None]] = []

    def add(self, update: Callable[[float], None]) -> None:
        """Feed one more statistic from now on."""
        self.updates.append(update)

    def take(self, step: int, row: Row) -> None:
        """Take the value of a row that has the metric."""
        x = row.values[self._metric]
        self.observations.append((step, x))
        for update in self.updates:
            update(x)


class PairFeed:
    """Feeds two metrics that are logged in the same row to statistics of both."""

    def __init__(self, first: str, second: str) -> None:
        self.metrics = (first, second)
        self.updates: list[Callable[[float, float], None]] = []

    def add(self, update: Callable[[float, float], None]) -> None:
        """Feed one more statistic from now on."""
        self.updates.append(update)

    def take(self, step: int, row: Row) -> None:
        """Take the values of a row that has both metrics."""
        x, y = row.values[self.metrics[0]], row.values[self.metrics[1]]
        for update in self.updates:
            update(x, y)


Feed = MetricFeed | PairFeed
