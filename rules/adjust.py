"""Changes the threshold or the window of one comparison in a condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from post_training_toolkit.rules.condition import (
    SIGNALS,
    AllOf,
    AnyOf,
    Condition,
    MetricCondition,
    Not,
    Threshold,
    WholeRun,
    Window,
    metric_conditions,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.suggestion import did_you_mean


class AdjustmentError(ValueError):
    """A change that does not fit the condition; the text says why."""


def adjust_condition(
    condition: Condition,
    label: str | None,
    threshold: Threshold | None,
    window: Window | WholeRun | None,
) -> Condition:
    """Return the condition with one comparison changed; None leaves that part as it is.

    ``label`` names the comparison; None stands for the only one. Raises ``AdjustmentError``.
    """
    chosen = _choose(condition, label)
    changed = chosen
    if threshold is not None:
        if threshold.comparison in SIGNALS and chosen.statistic.name != "last":
            raise AdjustmentError(
                f"compares the {chosen.statistic.name} of a window, which is never "
                f"{threshold.comparison}"
            )
        changed = replace(changed, threshold=threshold)
    if window is not None:
        if chosen.statistic.name in ("last", "change", "age"):
            raise AdjustmentError(f"looks at {chosen.statistic.name!r} and has no window to change")
        changed = replace(changed, statistic=replace(chosen.statistic, window=window))
    return _exchange(condition, lambda part: changed if part is chosen else part)


def _choose(condition: Condition, label: str | None) -> MetricCondition:
    comparisons = list(metric_conditions(condition))
    labels = [each.label for each in comparisons if each.label is not None]
    if label is not None:
        chosen = [each for each in comparisons if each.label == label]
        if not chosen:
            raise AdjustmentError(
                f"has no condition labelled {label!r}{did_you_mean(label, labels)}"
            )
        return chosen[0]
    if not comparisons:
        raise AdjustmentError("has no condition that could be changed")
    if len(comparisons) > 1:
        ways = "none has a label to name it by, so write your own instead"
        if labels:
            ways = f"say which with label ({', '.join(labels)})"
        raise AdjustmentError(
            f"has several conditions, so a threshold or window is ambiguous; {ways}"
        )
    return comparisons[0]


def _exchange(
    condition: Condition, exchange: Callable[[MetricCondition], MetricCondition]
) -> Condition:
    match condition:
        case MetricCondition():
            return exchange(condition)
        case AllOf(parts=parts):
            return AllOf(tuple(_exchange(part, exchange) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(_exchange(part, exchange) for part in parts))
        case Not(part=part):
            return Not(_exchange(part, exchange))
        case CrashCondition():
            return condition
