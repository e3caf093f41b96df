"""What a rule's condition is: comparisons of statistics of metrics, joined by all, any and not.

A crash rule has facts about the death of the run instead, which are joined with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from post_training_toolkit.rules.crash import EXCEPTION, CrashCondition
from post_training_toolkit.rules.expression import Expression


class Comparison(StrEnum):
    """How a threshold compares; the value is the key in the rule file."""

    ABOVE = "above"
    BELOW = "below"
    BETWEEN = "between"
    OUTSIDE = "outside"
    EQUALS = "equals"
    NON_FINITE = "non_finite"
    MISSING = "missing"


# Ask whether the newest value is there at all, and compare nothing.
SIGNALS = (Comparison.NON_FINITE, Comparison.MISSING)


@dataclass(frozen=True, slots=True)
class Window:
    """How many logged observations a statistic looks at.

    With ``fraction`` None the size is ``at_least``; otherwise it is that share of the planned
    logs, kept within the bounds.
    """

    at_least: int
    at_most: int
    fraction: float | None = None

    def size(self, planned_logs: int | None) -> int:
        """Return the number of observations for a run of so many planned logs.

        >>> Window(at_least=5, at_most=50, fraction=0.1).size(200)
        20
        >>> Window(at_least=5, at_most=50, fraction=0.1).size(None)
        5
        """
        if self.fraction is None or planned_logs is None:
            return self.at_least
        return min(max(round(self.fraction * planned_logs), self.at_least), self.at_most)


class WholeRun(StrEnum):
    """The window that never lets go of an observation."""

    RUN = "run"


@dataclass(frozen=True, slots=True)
class StatisticChoice:
    """A statistic by name, with its window and parameters.

    ``holds`` is what a fraction counts, ``other_metric`` what a correlation is taken with;
    ``parameters`` are all others, by the names of the rule file.
    """

    name: str
    window: Window | WholeRun
    parameters: Mapping[str, Any] = field(default_factory=dict)
    holds: Threshold | None = None
    other_metric: str | None = None


class Reference(StrEnum):
    """What a value is compared with, when it is neither a number nor another statistic."""

    BASELINE = "baseline"
    RUNNING_BEST = "running_best"


@dataclass(frozen=True, slots=True)
class ReferenceStatistic:
    """A statistic that a value is compared with; ``metric`` None is the condition's own.

    Of the own metric it is taken over the observations before the newest one.
    """

    statistic: StatisticChoice
    metric: str | None = None


class Relation(StrEnum):
    """How a value is set against its reference; the value is the key in the rule file."""

    RATIO = "relative_to"
    DIFFERENCE = "difference_from"


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a value is bad.

    ``bounds`` holds two expressions for between and outside, one for above, below and equals,
    none for non_finite and missing. With a ``reference`` the ratio value / reference is compared,
    or the difference value - reference, as ``relation`` says.
    """

    comparison: Comparison
    bounds: tuple[Expression, ...] = ()
    tolerance: Expression | None = None
    reference: Reference | ReferenceStatistic | None = None
    relation: Relation = Relation.RATIO
    reference_at_least: Expression | None = None


@dataclass(frozen=True, slots=True)
class MetricCondition:
    """One comparison of one metric's statistic with a threshold."""

    metric: str
    statistic: StatisticChoice
    threshold: Threshold
    label: str | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when every part is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is false."""

    part: Condition


Condition = MetricCondition | AllOf | AnyOf | Not | CrashCondition


def metric_conditions(condition: Condition) -> Iterator[MetricCondition]:
    """Yield the comparisons in a condition, in the order of the file."""
    match condition:
        case MetricCondition():
            yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from metric_conditions(part)
        case Not(part=part):
            yield from metric_conditions(part)


def bind_glob(condition: Condition, capture: str) -> Condition:
    """Return the condition with ``capture`` in place of every ``*`` in its metrics."""
    match condition:
        case MetricCondition():
            return replace(
                condition,
                metric=condition.metric.replace("*", capture),
                statistic=_bind_statistic(condition.statistic, capture),
                threshold=_bind_threshold(condition.threshold, capture),
            )
        case AllOf(parts=parts):
            return AllOf(tuple(bind_glob(part, capture) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(bind_glob(part, capture) for part in parts))
        case Not(part=part):
            return Not(bind_glob(part, capture))
        case CrashCondition():
            return condition


def _bind_statistic(statistic: StatisticChoice, capture: str) -> StatisticChoice:
    other = statistic.other_metric
    return replace(statistic, other_metric=other.replace("*", capture) if other else None)


def _bind_threshold(threshold: Threshold, capture: str) -> Threshold:
    reference = threshold.reference
    if not isinstance(reference, ReferenceStatistic) or reference.metric is None:
        return threshold
    bound = replace(reference, metric=reference.metric.replace("*", capture))
    return replace(threshold, reference=bound)


def metrics_of(condition: Condition) -> tuple[str, ...]:
    """Return every metric that a condition reads, each once, in the order of the file."""
    names: dict[str, None] = {EXCEPTION: None} if isinstance(condition, CrashCondition) else {}
    for part in metric_conditions(condition):
        names[part.metric] = None
        if part.statistic.other_metric is not None:
            names[part.statistic.other_metric] = None
        reference = part.threshold.reference
        if isinstance(reference, ReferenceStatistic) and reference.metric is not None:
            names[reference.metric] = None
    return tuple(names)
