"""What makes two rules fire at the same rows of the same runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Condition,
    MetricCondition,
    Not,
    StatisticChoice,
    Threshold,
)
from post_training_toolkit.rules.expression import Expression, parse_expression
from post_training_toolkit.rules.model import Rule


def behaviour(rule: Rule) -> tuple[Any, ...]:
    """Return what is equal for two rules exactly if they fire at the same rows of the same runs.

    Labels, the order of conditions that are joined, and how a number is written make no difference.
    """
    where = {name: sorted(map(repr, values)) for name, values in (rule.gate.where or {}).items()}
    gate = replace(rule.gate, where=None)
    return normalised(rule.condition), gate, where, rule.required_observations


def normalised(condition: Condition) -> Condition:
    """Return the condition without labels, with sorted parts and evaluated constants."""
    match condition:
        case MetricCondition():
            return replace(
                condition,
                label=None,
                statistic=_statistic(condition.statistic),
                threshold=_threshold(condition.threshold),
            )
        case AllOf(parts=parts):
            return AllOf(tuple(sorted(map(normalised, parts), key=repr)))
        case AnyOf(parts=parts):
            return AnyOf(tuple(sorted(map(normalised, parts), key=repr)))
        case Not(part=part):
            return Not(normalised(part))


def _statistic(choice: StatisticChoice) -> StatisticChoice:
    return replace(choice, holds=_threshold(choice.holds)) if choice.holds else choice


def _threshold(threshold: Threshold) -> Threshold:
    at_least = threshold.reference_at_least
    return replace(
        threshold,
        bounds=tuple(map(_number, threshold.bounds)),
        tolerance=_number(threshold.tolerance) if threshold.tolerance else None,
        reference_at_least=_number(at_least) if at_least else None,
    )


def _number(expression: Expression) -> Expression:
    value = expression.evaluate({})
    return expression if value is None else parse_expression(value)
