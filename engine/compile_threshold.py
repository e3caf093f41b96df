"""Turns the thresholds of a rule into numbers for one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from post_training_toolkit.engine.limits import Limits, limits_of
from post_training_toolkit.rules.condition import (
    SIGNALS,
    Comparison,
    Reference,
    ReferenceStatistic,
    Relation,
    StatisticChoice,
    Threshold,
    WholeRun,
)
from post_training_toolkit.rules.expression import Expression


class NotApplicableError(Exception):
    """A rule that cannot run in this run; the text is the reason for the coverage note."""


def window_size(choice: StatisticChoice, planned_logs: int | None) -> int | None:
    """Return how many observations a statistic looks at, None for the whole run."""
    if isinstance(choice.window, WholeRun):
        return None
    return choice.window.size(planned_logs)


def compile_limits(
    threshold: Threshold, configuration: Mapping[str, Any], window: int | None
) -> Limits:
    """Return the limits of a threshold in a run; raises ``NotApplicableError``."""
    comparison = threshold.comparison
    if comparison in SIGNALS:
        what = "NaN or infinite" if comparison is Comparison.NON_FINITE else "logged as null"
        return Limits(comparison, what)
    bounds = [evaluate_number(bound, configuration, window) for bound in threshold.bounds]
    shown = " and ".join(f"{bound:.4g}" for bound in bounds)
    low, high = bounds[0], bounds[-1]
    text = f"{comparison} {shown}"
    if comparison is Comparison.EQUALS:
        around = 0.0
        if threshold.tolerance is not None:
            around = evaluate_number(threshold.tolerance, configuration, window)
        text = f"within {around:.4g} of {shown}" if around else f"equal to {shown}"
        low, high = low - around, high + around
    return limits_of(comparison, low, high, text + _relation(threshold))


def evaluate_number(
    expression: Expression, configuration: Mapping[str, Any], window: int | None
) -> float:
    """Return an amount of a rule as a number; raises ``NotApplicableError`` if it has none here."""
    known = {**configuration, "window": window}
    value = expression.evaluate(known)
    if value is not None:
        return value
    unknown = sorted(
        name for name in expression.names if not isinstance(known.get(name), (int, float))
    )
    what = f"{', '.join(unknown)} is not known" if unknown else "it has no finite value"
    raise NotApplicableError(f"its threshold needs {expression.text}, and {what} in this run")


def _relation(threshold: Threshold) -> str:
    if threshold.reference is None:
        return ""
    against = _name(threshold.reference)
    return f" times {against}" if threshold.relation is Relation.RATIO else f" beside {against}"


def _name(reference: Reference | ReferenceStatistic) -> str:
    match reference:
        case Reference.BASELINE:
            return "its baseline"
        case Reference.RUNNING_BEST:
            return "its best so far"
        case ReferenceStatistic(statistic=choice, metric=None):
            return f"the {choice.name} before"
        case ReferenceStatistic(statistic=choice, metric=metric):
            return f"the {choice.name} of {metric}"
