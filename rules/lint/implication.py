"""Whether one condition can hold only where another holds too."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    MetricCondition,
    Threshold,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.expression import Expression


def implies(condition: Condition, other: Condition) -> bool:
    """Return whether ``other`` surely holds at every row at which ``condition`` does.

    Both must be normalised. False means only that nothing is known.
    """
    if condition == other:
        return True
    match other:
        case AllOf(parts=parts):
            return all(implies(condition, part) for part in parts)
        case AnyOf(parts=parts) if any(implies(condition, part) for part in parts):
            return True
    match condition:
        case AllOf(parts=parts):
            return any(implies(part, other) for part in parts)
        case AnyOf(parts=parts):
            return all(implies(part, other) for part in parts)
        case MetricCondition() if isinstance(other, MetricCondition):
            return _comparison_implies(condition, other)
        case CrashCondition() if isinstance(other, CrashCondition):
            return condition.implies(other)
    return False


def _comparison_implies(one: MetricCondition, other: MetricCondition) -> bool:
    if one.metric != other.metric or one.statistic != other.statistic:
        return False
    mine, theirs = one.threshold, other.threshold
    if not _same_reference(mine, theirs):
        return False
    if replace(mine, reference_at_least=theirs.reference_at_least) == theirs:
        return True
    bad, covering = _bad_values(mine), _bad_values(theirs)
    return bad is not None and covering is not None and _lie_in(bad, covering)


def _same_reference(one: Threshold, other: Threshold) -> bool:
    """Return whether both compare the same number, and the other is judged whenever one is.

    The best so far is the highest value below a threshold and the lowest above one, but of these
    neither implies the other anyway.
    """
    if (one.reference, one.relation) != (other.reference, other.relation):
        return False
    if other.reference_at_least is None or one.reference_at_least == other.reference_at_least:
        return True
    mine, theirs = _number(one.reference_at_least), _number(other.reference_at_least)
    return mine is not None and theirs is not None and mine >= theirs


@dataclass(frozen=True, slots=True)
class _Interval:
    low: float
    high: float
    closed: bool = False

    def lies_in(self, other: _Interval) -> bool:
        reaches_ends = other.closed or not self.closed
        return (other.low < self.low or (other.low == self.low and reaches_ends)) and (
            self.high < other.high or (self.high == other.high and reaches_ends)
        )


def _lie_in(intervals: list[_Interval], covering: list[_Interval]) -> bool:
    return all(any(each.lies_in(other) for other in covering) for each in intervals)


def _bad_values(threshold: Threshold) -> list[_Interval] | None:
    """Return the numbers at which a threshold holds, None if they depend on the run."""
    bounds = [_number(bound) for bound in threshold.bounds]
    numbers = [bound for bound in bounds if bound is not None]
    tolerance = 0.0 if threshold.tolerance is None else _number(threshold.tolerance)
    if not bounds or len(numbers) < len(bounds) or tolerance is None:
        return None
    low, high = numbers[0], numbers[-1]
    match threshold.comparison:
        case Comparison.ABOVE:
            return [_Interval(low, math.inf)]
        case Comparison.BELOW:
            return [_Interval(-math.inf, low)]
        case Comparison.OUTSIDE:
            return [_Interval(-math.inf, low), _Interval(high, math.inf)]
        case _:
            return [_Interval(low - tolerance, high + tolerance, closed=True)]


def _number(expression: Expression | None) -> float | None:
    return None if expression is None else expression.evaluate({})
