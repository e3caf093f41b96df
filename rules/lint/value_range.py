"""The range in which the number that a condition compares can lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers
from post_training_toolkit.rules.condition import (
    Comparison,
    MetricCondition,
    Reference,
    ReferenceStatistic,
    Relation,
    StatisticChoice,
    WholeRun,
)
from post_training_toolkit.rules.profile import EVAL_PREFIX, load_profile


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval of numbers."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def width(self) -> float:
        """The distance of its ends; infinite for an open end."""
        return self.high - self.low


EVERYTHING = Range()
_NOT_NEGATIVE = Range(0.0)
_SHARE = Range(0.0, 1.0)

# By the catalogue's units; a unit that is not here can have any value.
_BY_UNIT: Mapping[str, Range] = MappingProxyType(
    {
        "share": _SHARE,
        **dict.fromkeys(
            (
                "epochs",
                "examples per second",
                "norm",
                "operations",
                "rate",
                "seconds",
                "steps per second",
                "tokens",
            ),
            _NOT_NEGATIVE,
        ),
    }
)
# Are among the values of the window, or between them.
_WITHIN = frozenset({"last", "mean", "min", "max", "median", "quantile", "ewmean"})


def compared_range(condition: MetricCondition, trainers: Iterable[str]) -> Range:
    """Return where the number lies that the threshold is held against, reference and all.

    ``trainers`` are those of the rule's gate; none means every one.
    """
    value = statistic_range(condition.statistic, metric_range(condition.metric, trainers))
    threshold = condition.threshold
    ratio = threshold.relation is Relation.RATIO
    match threshold.reference:
        case None:
            return value
        case Reference.RUNNING_BEST:
            # The best so far includes the newest value: the highest for below, else the lowest.
            limit = 1.0 if ratio else 0.0
            highest = threshold.comparison is Comparison.BELOW
            low = 0.0 if ratio and value.low >= 0 else -math.inf
            return Range(low, limit) if highest else Range(limit)
        case Reference.BASELINE:
            reference = metric_range(condition.metric, trainers)
        case ReferenceStatistic(statistic=statistic, metric=metric):
            own = metric_range(metric or condition.metric, trainers)
            reference = statistic_range(statistic, own)
    if ratio:
        # A reference that is not positive is not divided by.
        return Range(0.0 if value.low >= 0 else -math.inf, 0.0 if value.high <= 0 else math.inf)
    return Range(value.low - reference.high, value.high - reference.low)


def metric_range(metric: str, trainers: Iterable[str]) -> Range:
    """Return the range of a metric, from the unit that the catalogue gives it for each trainer."""
    names = frozenset(trainers) or catalogued_trainers()
    inner = metric.removeprefix(EVAL_PREFIX)
    ranges = [
        _BY_UNIT.get(entry.unit, EVERYTHING)
        for trainer in names
        for key, entry in catalogue(trainer).items()
        if inner in (key, load_profile(trainer).canonical_name(key))
    ]
    if not ranges:
        return EVERYTHING
    return Range(min(each.low for each in ranges), max(each.high for each in ranges))


def statistic_range(choice: StatisticChoice, metric: Range) -> Range:
    """Return the range of a statistic of a metric with the given range."""
    match choice.name:
        case name if name in _WITHIN:
            return metric
        case "fraction":
            return _SHARE
        case "correlation":
            return Range(-1.0, 1.0)
        case "age":
            return _NOT_NEGATIVE
        case "range" | "iqr":
            return Range(0.0, metric.width)
        case "std":
            return Range(0.0, metric.width * _largest_std(choice))
        case "change":
            return Range(-metric.width, metric.width)
        case "page_hinkley" | "adwin":
            # 0 without a change, else how far the level moved in the direction that is asked for.
            down = choice.parameters.get("direction") == "down"
            return Range(-math.inf, 0.0) if down else _NOT_NEGATIVE
        case _:
            return EVERYTHING


def _largest_std(choice: StatisticChoice) -> float:
    """Return the largest sample standard deviation of values at most 1 apart.

    Half of n values at each end have the variance n / (4 (n - 1)), which falls with n; an odd
    number of values reaches less.
    """
    fewest = 2 if isinstance(choice.window, WholeRun) else max(choice.window.at_least, 2)
    return math.sqrt(fewest / (4 * (fewest - 1)))
