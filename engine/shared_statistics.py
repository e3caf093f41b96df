"""The statistics of a run: what looks at the same thing is one object, fed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from post_training_toolkit.engine.compile_threshold import (
    NotApplicableError,
    compile_limits,
    window_size,
)
from post_training_toolkit.engine.feeds import MetricFeed, PairFeed
from post_training_toolkit.engine.statistics.baseline import Baseline
from post_training_toolkit.engine.statistics.before import Before
from post_training_toolkit.engine.statistics.registry import StatisticError, build_statistic
from post_training_toolkit.engine.value_check import ExactStatistic
from post_training_toolkit.rules.condition import StatisticChoice, Window

# The early level is the median of the first twentieth of the planned logs, within bounds.
_BASELINE_WINDOW = Window(at_least=5, at_most=50, fraction=0.05)


class SharedStatistics:
    """Builds statistics, shares equal ones, and keeps the feeds by metric."""

    def __init__(self, planned_logs: int | None) -> None:
        self.feeds: dict[str, MetricFeed] = {}
        self.pair_feeds: dict[tuple[str, str], PairFeed] = {}
        self._planned_logs = planned_logs
        self._shared: dict[tuple[object, ...], ExactStatistic] = {}

    def statistic(
        self, metric: str, choice: StatisticChoice, configuration: Mapping[str, Any]
    ) -> ExactStatistic:
        """Return a statistic of a metric, or of a metric and the one it is correlated with."""
        key = (metric, *self._key(choice, configuration))
        other = choice.other_metric
        feed = self._feed(metric) if other is None else self._pair_feed(metric, other)
        add: Callable[..., None] = feed.updates.append
        return self._share(key, lambda: self._build(choice, configuration), add)

    def statistic_before(
        self, metric: str, choice: StatisticChoice, configuration: Mapping[str, Any]
    ) -> ExactStatistic:
        """Return a statistic over the observations of a metric before the newest one."""
        key = ("before", metric, *self._key(choice, configuration))
        add = self._feed(metric).updates.append
        return self._share(key, lambda: Before(self._build(choice, configuration)), add)

    def baseline(self, metric: str) -> ExactStatistic:
        """Return the early level of a metric."""
        size = _BASELINE_WINDOW.size(self._planned_logs)
        return self._share(
            ("baseline", metric), lambda: Baseline(size), self._feed(metric).updates.append
        )

    def _feed(self, metric: str) -> MetricFeed:
        return self.feeds.setdefault(metric, MetricFeed(metric))

    def _pair_feed(self, first: str, second: str) -> PairFeed:
        return self.pair_feeds.setdefault((first, second), PairFeed(first, second))

    def _key(self, choice: StatisticChoice, configuration: Mapping[str, Any]) -> tuple[object, ...]:
        window = window_size(choice, self._planned_logs)
        counted = choice.holds and compile_limits(choice.holds, configuration, window)
        parameters = tuple(sorted(choice.parameters.items()))
        return (choice.name, window, counted, choice.other_metric, parameters)

    def _build(self, choice: StatisticChoice, configuration: Mapping[str, Any]) -> Any:
        window = window_size(choice, self._planned_logs)
        parameters = dict(choice.parameters)
        if choice.holds is not None:
            parameters["holds"] = compile_limits(choice.holds, configuration, window).are_broken_by
        try:
            return build_statistic(choice.name, window, parameters)
        except StatisticError as error:
            raise NotApplicableError(str(error)) from None

    def _share(
        self,
        key: tuple[object, ...],
        build: Callable[[], Any],
        add: Callable[[Callable[..., None]], None],
    ) -> ExactStatistic:
        if key not in self._shared:
            statistic = build()
            self._shared[key] = statistic
            add(statistic.update)
        return self._shared[key]
