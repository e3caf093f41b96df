"""threshold-never and threshold-always: thresholds that can never, or must always, hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from post_training_toolkit.rules.condition import Comparison, MetricCondition, Relation, Threshold
from post_training_toolkit.rules.document import Path
from post_training_toolkit.rules.lint.finding import Finding, placed_conditions
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.lint.value_range import Range, compared_range, metric_range
from post_training_toolkit.rules.model import Rule


class _Verdict(Enum):
    NEVER = auto()
    ALWAYS = auto()


@dataclass(frozen=True, slots=True)
class _Judged:
    """A threshold with the range of what it is held against, and that in words."""

    path: Path
    threshold: Threshold
    range: Range
    what: str


def check_threshold_never(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding for each threshold that lies outside of all that its statistic can be."""
    for judged in _judged(rule):
        if _verdict(judged.threshold, judged.range) is _Verdict.NEVER:
            message = f"{_shown(judged.threshold)} can never hold: {judged.what}"
            yield Finding(judged.path, message)


def check_threshold_always(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding for each threshold that every value of its statistic crosses."""
    for judged in _judged(rule):
        if _verdict(judged.threshold, judged.range) is _Verdict.ALWAYS:
            message = f"{_shown(judged.threshold)} always holds: {judged.what}"
            yield Finding(judged.path, message)


def _judged(rule: Rule) -> Iterator[_Judged]:
    trainers = rule.gate.trainers
    for path, condition in placed_conditions(rule):
        threshold, counted = condition.threshold, condition.statistic.holds
        if threshold.bounds:
            span = compared_range(condition, trainers)
            place = (*path, "threshold", threshold.comparison.value)
            yield _Judged(place, threshold, span, f"{_name(condition)} is {_words(span)}")
        if counted is not None:
            span = metric_range(condition.metric, trainers)
            place = (*path, "statistic", counted.comparison.value)
            yield _Judged(place, counted, span, f"{condition.metric} is {_words(span)}")


def _verdict(threshold: Threshold, span: Range) -> _Verdict | None:
    """Return what is certain about a threshold whatever is logged; None if nothing is."""
    numbers = [bound.evaluate({}) for bound in threshold.bounds]
    bounds = [number for number in numbers if number is not None]
    tolerance = 0.0 if threshold.tolerance is None else threshold.tolerance.evaluate({})
    if len(bounds) < len(numbers) or tolerance is None:
        return None
    low, high = bounds[0] - tolerance, bounds[-1] + tolerance
    match threshold.comparison:
        case Comparison.ABOVE:
            never, always = low >= span.high, low < span.low
        case Comparison.BELOW:
            never, always = high <= span.low, high > span.high
        case Comparison.OUTSIDE:
            never = low <= span.low and span.high <= high
            always = high < span.low or span.high < low
        case _:
            never = high < span.low or span.high < low
            always = low <= span.low and span.high <= high
    return _Verdict.NEVER if never else _Verdict.ALWAYS if always else None


def _shown(threshold: Threshold) -> str:
    bounds = " and ".join(bound.text for bound in threshold.bounds)
    around = f" within {threshold.tolerance.text}" if threshold.tolerance else ""
    return f"'{threshold.comparison} {bounds}'{around}"


def _name(condition: MetricCondition) -> str:
    statistic = condition.statistic.name
    name = condition.metric if statistic == "last" else f"the {statistic} of {condition.metric}"
    if condition.threshold.reference is None:
        return name
    ratio = condition.threshold.relation is Relation.RATIO
    return f"{name} {'over' if ratio else 'minus'} its reference"


def _words(span: Range) -> str:
    """Say a range as a reader would.

    >>> _words(Range(0.0, 1.0)), _words(Range(0.0)), _words(Range(high=1.0))
    ('between 0 and 1', 'at least 0', 'at most 1')
    """
    if math.isinf(span.high):
        return f"at least {span.low:.3g}"
    if math.isinf(span.low):
        return f"at most {span.high:.3g}"
    return f"between {span.low:.3g} and {span.high:.3g}"
