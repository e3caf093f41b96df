"""Applies a project's overrides to the rules of the sources it extends."""

from __future__ import annotations

from dataclasses import replace

from post_training_toolkit.rules.model import SIGNALS, MetricCondition, Override, Rule


class OverrideError(ValueError):
    """An override that does not fit its rule; the text says why."""


def apply_override(rule: Rule, override: Override) -> Rule | None:
    """Return the changed rule, or None when the override disables it.

    Raises ``OverrideError`` when the override names one threshold or window of a rule that has
    several conditions.
    """
    if override.disable:
        return None
    if override.severity is not None:
        rule = replace(rule, severity=override.severity)
    if override.threshold is None and override.window is None:
        return rule
    condition = rule.condition
    if not isinstance(condition, MetricCondition):
        raise OverrideError(
            "has several conditions, so a threshold or window is ambiguous; "
            "disable it and write your own rule instead"
        )
    if override.threshold is not None:
        if override.threshold.comparison in SIGNALS and condition.statistic.name != "last":
            raise OverrideError(
                f"compares the {condition.statistic.name} of a window, which is never "
                f"{override.threshold.comparison}"
            )
        condition = replace(condition, threshold=override.threshold)
    if override.window is not None:
        if condition.statistic.name == "last":
            raise OverrideError("looks at the last value only and has no window to change")
        choice = replace(condition.statistic, window=override.window)
        condition = replace(condition, statistic=choice)
    return replace(rule, condition=condition)
