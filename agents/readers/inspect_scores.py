"""Reads what the scorers of an Inspect log say of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.readers.judgement import success_of

# Correct, partly, incorrect and no answer, and the words that Inspect takes for them too.
_GRADES = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0} | {
    "correct": 1.0,
    "incorrect": 0.0,
    "yes": 1.0,
    "true": 1.0,
    "no": 0.0,
    "false": 0.0,
}
_KEPT = ("value", "answer", "explanation", "reason", "metadata")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sample was solved, the degree, and the scores as they were given."""

    success: bool | None
    reward: float | None
    scores: JsonObject


def judge(scores: Mapping[str, Any], resolve: Callable[[Any], Any]) -> Verdict:
    """Return the verdict of scores by scorer; ``resolve`` puts long texts back into them.

    A grade of 1 is a success and one of 0 none; what lies between says neither. Where scores of
    several names disagree, the one that is named as an outcome counts, else none does.

    >>> judge({"match": {"value": "C"}}, lambda text: text).success
    True
    >>> judge({"match": {"value": "P"}}, lambda text: text)
    Verdict(success=None, reward=0.5, scores={'match': {'value': 'P'}})
    """
    kept = {name: _kept(score, resolve) for name, score in scores.items()}
    grades = {name: grade for name, value in _values(kept) if (grade := _grade(value)) is not None}
    chosen = set(grades.values())
    if len(chosen) == 1:
        reward = chosen.pop()
        return Verdict({1.0: True, 0.0: False}.get(reward), reward, kept)
    return Verdict(success_of(grades), grades.get("reward"), kept)


def _kept(score: Any, resolve: Callable[[Any], Any]) -> Any:
    if not isinstance(score, Mapping):
        return {"value": score}
    return {key: resolve(score[key]) for key in _KEPT if score.get(key) not in (None, {})}


def _values(scores: Mapping[str, JsonObject]) -> list[tuple[str, Any]]:
    """Return the values by name; one scorer may give several values by name."""
    found: list[tuple[str, Any]] = []
    for name, score in scores.items():
        value = score.get("value")
        found += value.items() if isinstance(value, Mapping) else [(name, value)]
    return found


def _grade(value: Any) -> float | None:
    if isinstance(value, str):
        if value.lower() in _GRADES:
            return _GRADES[value.lower()]
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, (int, float)) and abs(value) < math.inf:
        return float(value)
    return None
