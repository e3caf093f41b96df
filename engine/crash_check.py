"""Asks whether a run died in a certain way."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.death import Death, PostMortem
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits
from post_training_toolkit.rules.condition import Comparison
from post_training_toolkit.rules.crash import EXCEPTION, CrashCondition
from post_training_toolkit.rules.pattern import compile_pattern
from post_training_toolkit.rules.printable import printable

# What is quoted of a text that may hold anything.
_QUOTED_LENGTH = 80
_ERROR_LENGTH = 200


class CrashCheck(Check):
    """Judges the row that tells how the run ended, by the facts that were left about its death.

    Without such facts, as in recordings that others made, there is no answer. After an answer of
    yes the limits say which facts held.
    """

    def __init__(self, condition: CrashCondition, post_mortem: PostMortem) -> None:
        super().__init__(EXCEPTION, None, _limits("how the run died"), window=1)
        self._condition = condition
        self._patterns = tuple(map(compile_pattern, condition.text))
        self._post_mortem = post_mortem

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the row."""
        self.value = row.values.get(EXCEPTION)
        death = self._post_mortem.death
        if self.value is None or (self.value and death is None):
            self.met = None
        elif not self.value or death is None:
            self.met = False
        else:
            facts = list(self._facts(death))
            self.met = None not in facts
            self.limits = _limits("; ".join(fact for fact in facts if fact))
            self.error = _quoted(death.error, _ERROR_LENGTH)
        return self.met

    def last_sound_step(self) -> int:
        """Return 0: of how long the run was sound before its death the text says nothing."""
        return 0

    def _facts(self, death: Death) -> Iterator[str | None]:
        """Yield each fact that is asked for in words, None for one that does not hold."""
        condition = self._condition
        if condition.text:
            found = (pattern.search(death.text) for pattern in self._patterns)
            match = next((each for each in found if each), None)
            yield f"text has '{_quoted(match[0], _QUOTED_LENGTH)}'" if match else None
        if condition.exit_reasons:
            reason = death.exit_reason
            yield f"exit reason {reason}" if reason in condition.exit_reasons else None
        if condition.signals:
            yield f"signal {death.signal}" if death.signal in condition.signals else None
        if condition.exit_codes:
            code = death.exit_code
            yield f"exit code {code}" if code in condition.exit_codes else None


def _limits(text: str) -> Limits:
    return Limits(Comparison.EQUALS, text, 1.0, 1.0)


def _quoted(text: str, length: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= length else f"{shown[: length - 3]}..."
