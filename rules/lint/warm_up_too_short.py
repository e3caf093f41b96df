"""warm-up-too-short: the rule may no longer be judged when it has seen enough."""

from __future__ import annotations

import math
from collections.abc import Iterator

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Condition,
    MetricCondition,
    Not,
    Reference,
    ReferenceStatistic,
    StatisticChoice,
    WholeRun,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Rule

# Lengths of runs, in logged rows, that a share of the run is tried on.
_RUN_LENGTHS = tuple(
    round(mantissa * 10**power) for power in range(1, 7) for mantissa in (1, 1.5, 2, 3, 5, 7)
)


def check_warm_up_too_short(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding when a rule can fire in no run, since ``until`` comes too early.

    A long window alone is harmless: the engine waits until it is full. It is a fault only where the
    rule may not be judged any more by then. A statistic needs its window, one observation more if
    it is compared with the observations before the newest, and then ``for`` observations must
    pass, the first of them after ``after``. There is at most one logged row a step, so that
    ``until: {steps: 20}`` leaves at most 20 observations, in whatever run. With
    ``until: {fraction: 0.1}`` the window is tried in runs of 10 to 7,000,000 rows, since it may be
    a share of the run too.
    """
    if rule.gate.until_steps is None and rule.gate.until_fraction is None:
        return
    tried = [(_needed(rule, rows), _allowed(rule, rows), rows) for rows in _RUN_LENGTHS]
    needed, allowed, rows = min(tried, key=lambda each: each[0] - each[1])
    if needed > allowed:
        message = (
            f"can never fire: of {rows} logged rows 'until' allows the first {allowed}, and the "
            f"rule needs {needed}; let it last longer, or shorten the window or 'for'"
        )
        yield Finding(("until",), message)


def _needed(rule: Rule, planned: int) -> int:
    """Return the observation at which the rule can fire first in a run of so many logged rows."""
    gate = rule.gate
    by_fraction = math.floor(gate.after_fraction * planned)
    if gate.after_at_most_steps is not None:
        by_fraction = min(by_fraction, gate.after_at_most_steps)
    seen = _observations(rule.condition, planned)
    first = max(seen, gate.after_observations, gate.after_steps, by_fraction)
    return first + rule.required_observations - 1


def _allowed(rule: Rule, planned: int) -> int:
    """Return the most observations until the rule is judged for the last time."""
    bounds = [planned]
    if rule.gate.until_steps is not None:
        bounds.append(rule.gate.until_steps)
    if rule.gate.until_fraction is not None:
        bounds.append(math.ceil(rule.gate.until_fraction * planned))
    return min(bounds)


def _observations(condition: Condition, planned: int) -> int:
    """Return how many observations a condition needs before it can hold."""
    match condition:
        case MetricCondition():
            return _comparison_observations(condition, planned)
        case AllOf(parts=parts):
            return max((_observations(part, planned) for part in parts), default=1)
        case AnyOf(parts=parts):
            return min((_observations(part, planned) for part in parts), default=1)
        case Not(part=part):
            return 1 if isinstance(part, AllOf) else _observations(part, planned)
        case CrashCondition():
            return 1


def _comparison_observations(condition: MetricCondition, planned: int) -> int:
    own = _window(condition.statistic, planned)
    match condition.threshold.reference:
        case ReferenceStatistic(statistic=statistic, metric=None):
            return max(own, _window(statistic, planned) + 1)
        case ReferenceStatistic(statistic=statistic):
            return max(own, _window(statistic, planned))
        case Reference() | None:
            return own


def _window(choice: StatisticChoice, planned: int) -> int:
    return 1 if isinstance(choice.window, WholeRun) else choice.window.size(planned)
