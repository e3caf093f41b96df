"""Builds the condition of a crash rule and finds the mistakes a schema cannot see."""

from __future__ import annotations

from typing import Any, Protocol

from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.document import Path
from post_training_toolkit.rules.pattern import PatternError, compile_pattern

_OTHER_CONDITIONS = ("metric", "all", "any", "not", "statistic", "window", "threshold")
_TIMES = ("for", "keep_firing_for", "cool_down", "escalation", "learning_rate_phase")


class Report(Protocol):
    """Notes a mistake at a path of the document."""

    def __call__(self, path: Path, message: str, *, at_key: bool = False) -> None:
        """Note it."""


def build_crash(data: dict[str, Any], path: Path, report: Report) -> CrashCondition:
    """Build the condition of a rule that has ``crash``."""
    for key in _OTHER_CONDITIONS:
        if key in data:
            message = f"{key!r} cannot stand beside 'crash', which looks at no metric"
            report((*path, key), message, at_key=True)
    for key in _TIMES:
        if key in data:
            message = f"{key!r} has no meaning beside 'crash': a run dies once"
            report((*path, key), message, at_key=True)
    if "observations" in data.get("after", {}):
        message = "'observations' has no meaning beside 'crash': a run dies once"
        report((*path, "after", "observations"), message, at_key=True)
    crash = data["crash"]
    return CrashCondition(
        text=_patterns(crash.get("text", []), (*path, "crash", "text"), report),
        exit_reasons=tuple(crash.get("exit_reason", ())),
        signals=tuple(crash.get("signal", ())),
        exit_codes=tuple(crash.get("exit_code", ())),
    )


def _patterns(data: str | list[str], path: Path, report: Report) -> tuple[str, ...]:
    placed = (
        [(path, data)]
        if isinstance(data, str)
        else [((*path, index), text) for index, text in enumerate(data)]
    )
    for place, text in placed:
        try:
            compile_pattern(text)
        except PatternError as error:
            report(place, str(error))
    return tuple(text for _, text in placed)
