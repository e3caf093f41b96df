"""Applies a project's overrides to the rules of the sources it extends."""

from __future__ import annotations

from dataclasses import replace

from post_training_toolkit.rules.adjust import AdjustmentError, adjust_condition
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.model import Override, Rule
from post_training_toolkit.rules.severity import Severity


def apply_override(rule: Rule, override: Override) -> Rule | None:
    """Return the changed rule, or None when the override disables it.

    Raises ``AdjustmentError`` when a change does not fit the rule's condition.
    """
    if override.disable:
        return None
    if override.severity is not None:
        rule = _with_severity(rule, override.severity)
    if override.required_observations is not None:
        if isinstance(rule.condition, CrashCondition):
            raise AdjustmentError("looks at how the run died, which it does once; leave 'for' out")
        rule = replace(rule, required_observations=override.required_observations)
    if override.threshold is None and override.window is None:
        return rule
    condition = adjust_condition(
        rule.condition, override.label, override.threshold, override.window
    )
    return replace(rule, condition=condition)


def _with_severity(rule: Rule, severity: Severity) -> Rule:
    """Return the rule with a severity, below which its second level does not stay behind."""
    escalation = rule.escalation
    if escalation is not None and escalation.severity.rank < severity.rank:
        escalation = replace(escalation, severity=severity)
    return replace(rule, severity=severity, escalation=escalation)
