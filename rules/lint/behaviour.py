"""What makes two rules fire at the same rows of the same runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Condition,
    MetricCondition,
    Not,
    StatisticChoice,
    Threshold,
    metric_conditions,
)
from post_training_toolkit.rules.crash import EXCEPTION, CrashCondition
from post_training_toolkit.rules.expression import Expression, parse_expression
from post_training_toolkit.rules.model import Rule


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What makes a rule fire, in a form that can be compared with that of other rules.

    ``condition`` is normalised. ``text`` is equal for two rules exactly if they fire at the same
    rows of the same runs. ``numbers`` names each statistic of a metric that is compared.
    """

    condition: Condition
    text: str
    numbers: frozenset[str]


def behaviour(rule: Rule) -> Behaviour:
    """Return the behaviour of a rule.

    Labels, the order of conditions that are joined, and how a number is written make no difference.
    """
    condition = normalised(rule.condition)
    where = {name: sorted(map(repr, values)) for name, values in (rule.gate.where or {}).items()}
    gate = replace(
        rule.gate,
        where=None,
        trainers=frozenset(),
        learning_rate_phases=frozenset(),
    )
    sets = sorted(rule.gate.trainers), sorted(rule.gate.learning_rate_phases), sorted(where.items())
    numbers = {f"{part.metric} {part.statistic!r}" for part in metric_conditions(condition)}
    if isinstance(condition, CrashCondition):
        numbers = {EXCEPTION}
    text = repr((condition, gate, sets, rule.required_observations))
    return Behaviour(condition, text, frozenset(numbers))


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
        case CrashCondition():
            return CrashCondition(
                tuple(sorted(condition.text)),
                tuple(sorted(condition.exit_reasons)),
                tuple(sorted(condition.signals)),
                tuple(sorted(condition.exit_codes)),
            )


def _statistic(choice: StatisticChoice) -> StatisticChoice:
    return replace(
        choice,
        parameters=dict(sorted(choice.parameters.items())),
        holds=_threshold(choice.holds) if choice.holds else None,
    )


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
