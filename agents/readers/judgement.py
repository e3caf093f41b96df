"""Reads the outcome of an episode from named scores of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Names by which people call "the task was done"; a score of any other name is no outcome.
_OUTCOMES = (
    "success",
    "resolved",
    "passed",
    "pass",
    "solved",
    "task_success",
    "task_completed",
    "correct",
    "correctness",
)
_WORDS = {"true": True, "yes": True, "pass": True, "passed": True, "correct": True} | {
    "false": False,
    "no": False,
    "fail": False,
    "failed": False,
    "incorrect": False,
}


def success_of(scores: Mapping[str, Any]) -> bool | None:
    """Return whether scores say that the task was done; None where none does, or they disagree.

    A number other than 0 and 1 is a degree, which says neither.

    >>> success_of({"correctness": 1, "style": 0.2}), success_of({"correctness": 0.7})
    (True, None)
    """
    found = {
        judged
        for name, value in scores.items()
        if name.lower().replace(" ", "_").replace("-", "_") in _OUTCOMES
        and (judged := _judged(value)) is not None
    }
    return found.pop() if len(found) == 1 else None


def reward_of(scores: Mapping[str, Any]) -> float | None:
    """Return the score that is called a reward."""
    value = scores.get("reward")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _judged(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value) if value in (0, 1) else None
    return _WORDS.get(value.lower()) if isinstance(value, str) else None
