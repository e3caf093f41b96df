"""The second level of a rule at work."""

from __future__ import annotations

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.condition import (
    CompiledCondition,
    affirmed_checks,
    checks_in,
)
from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.severity import Severity


class Level:
    """Follows the condition of an escalation; ``met`` is its newest answer."""

    def __init__(
        self, severity: Severity, condition: CompiledCondition, required_observations: int
    ) -> None:
        self.severity = severity
        self.checks: tuple[Check, ...] = tuple(affirmed_checks(condition)) or tuple(
            checks_in(condition)
        )
        self.met: bool | None = None
        self._condition = condition
        self._required = required_observations
        self._held = 0

    def advance(self, step: int, row: Row) -> bool:
        """Judge a row; return whether the condition has held long enough."""
        self.met = self._condition.evaluate(step, row)
        if self.met is not None:
            self._held = self._held + 1 if self.met else 0
        return bool(self.met) and self._held >= self._required

    def reset(self) -> None:
        """Begin to count anew, since the rule is not judged at this point of the run."""
        self._held = 0
