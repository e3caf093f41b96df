"""Makes the mutants of a rule: the rule as written, with one thing deleted or shifted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from post_training_toolkit.rules.condition import SIGNALS, Comparison, Relation
from post_training_toolkit.rules.document import Path
from post_training_toolkit.schemas import load_schema

RuleData = dict[str, Any]

# A threshold that every number passes, and one that none does.
_ALWAYS = {"above": -1.0e308}
_NEVER = {"above": 1.0e308}
# The same for the way in which a run died.
_EXIT_REASONS = load_schema("rules")["$defs"]["exit_reason"]["enum"]
_ANY_DEATH = {"exit_reason": _EXIT_REASONS}
_NO_DEATH = {"text": "(?!)"}
_COMPARED = tuple(each.value for each in Comparison if each not in SIGNALS)
_RELATIONS = tuple(each.value for each in Relation)
_DELETED = (
    *("for", "keep_firing_for", "cool_down", "escalation", "learning_rate_phase", "trl"),
    *("inhibits", "caused_by"),
)
# Gates of several entries, each of which is deleted too.
_GATES = ("after", "until", "where")
_COUNTED = ("for", "keep_firing_for", "cool_down")
# Statistics' own numbers that act like a threshold.
_STATISTIC_BOUNDS = ("above", "below", "equals", "delta", "threshold")
_WHOLE_NUMBERS = ("window", "at_least", "at_most", "observations", "steps", "at_most_steps")
_FACTORS = (0.8, 1.25)


class Kind(StrEnum):
    """How a mutant differs from its rule."""

    DELETION = "deletion"
    """A threshold, condition or key is gone."""
    SHIFT = "shift"
    """A bound, window or count lies somewhat beside where it was."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one change: ``data`` as in a rule file, ``change`` in words."""

    rule: str
    kind: Kind
    change: str
    data: RuleData

    def __str__(self) -> str:
        return f"{self.rule}: {self.change}"


def mutants_of(rule: RuleData) -> Iterator[Mutant]:
    """Yield every mutant of a rule, which is given as it stands in its file.

    >>> rule = {"id": "a", "metric": "loss", "threshold": {"above": 2}, "for": 3}
    >>> [mutant.change for mutant in mutants_of(rule)][:3]
    ['threshold always holds', 'threshold never holds', 'for deleted']
    """
    for kind, change, edit in _edits(rule):
        data = deepcopy(rule)
        edit(data)
        yield Mutant(rule["id"], kind, change, data)


Edit = tuple[Kind, str, Callable[[RuleData], None]]


def _edits(rule: RuleData) -> Iterator[Edit]:
    for path, condition in _conditions(rule, ()):
        yield from _threshold_deletions(path, condition)
    yield from _part_deletions(rule, ())
    yield from _crash_deletions(rule)
    for key in _DELETED:
        if key in rule:
            yield Kind.DELETION, f"{key} deleted", _deletion((key,))
    for key in _GATES:
        yield from _gate_deletions(rule, key)
    for path, condition in _conditions(rule, ()):
        yield from _threshold_shifts(path, condition)
        yield from _window_shifts(path, condition)
    yield from _count_shifts(rule, ())
    if "escalation" in rule:
        yield from _count_shifts(rule["escalation"], ("escalation",))
    for key in ("after", "until"):
        for inner, value in rule.get(key, {}).items():
            yield from _scalings((key, inner), value)


def _conditions(data: RuleData, path: Path) -> Iterator[tuple[Path, RuleData]]:
    """Yield every part that holds a threshold, the escalation's too, with its path."""
    if "threshold" in data:
        yield path, data
    for key in ("all", "any"):
        for index, part in enumerate(data.get(key, ())):
            yield from _conditions(part, (*path, key, index))
    for key in ("not", "escalation"):
        if key in data:
            yield from _conditions(data[key], (*path, key))


def _threshold_deletions(path: Path, condition: RuleData) -> Iterator[Edit]:
    here = (*path, "threshold")
    yield Kind.DELETION, f"{_words(here)} always holds", _setting(here, _ALWAYS)
    yield Kind.DELETION, f"{_words(here)} never holds", _setting(here, _NEVER)
    for key in (*_RELATIONS, "reference_at_least"):
        if key in condition["threshold"]:
            yield Kind.DELETION, f"{_words((*here, key))} deleted", _reference_deletion(here, key)


def _reference_deletion(path: Path, key: str) -> Callable[[RuleData], None]:
    def edit(data: RuleData) -> None:
        threshold = _at(data, path)
        del threshold[key]
        if key in _RELATIONS:
            threshold.pop("reference_at_least", None)

    return edit


def _part_deletions(data: RuleData, path: Path) -> Iterator[Edit]:
    for key in ("all", "any"):
        parts = data.get(key, ())
        for index, part in enumerate(parts):
            here = (*path, key, index)
            if len(parts) > 1:
                yield Kind.DELETION, f"{_words(here)} deleted", _deletion(here)
            yield from _part_deletions(part, here)
    for key in ("not", "escalation"):
        if key in data:
            yield from _part_deletions(data[key], (*path, key))


def _crash_deletions(rule: RuleData) -> Iterator[Edit]:
    """Yield the edits that take a fact about the death away, or one of its values."""
    if "crash" not in rule:
        return
    yield Kind.DELETION, "crash always holds", _setting(("crash",), _ANY_DEATH)
    yield Kind.DELETION, "crash never holds", _setting(("crash",), _NO_DEATH)
    for fact, values in rule["crash"].items():
        here = ("crash", fact)
        if len(rule["crash"]) > 1:
            yield Kind.DELETION, f"{_words(here)} deleted", _deletion(here)
        if isinstance(values, list) and len(values) > 1:
            for index, value in enumerate(values):
                change = f"{_words(here)}: {value!r} deleted"
                yield Kind.DELETION, change, _deletion((*here, index))


def _gate_deletions(rule: RuleData, key: str) -> Iterator[Edit]:
    if key not in rule:
        return
    yield Kind.DELETION, f"{key} deleted", _deletion((key,))
    entries = set(rule[key]) - {"at_most_steps"}
    for inner in rule[key]:
        if len(entries) > 1 or inner not in entries:
            yield Kind.DELETION, f"{key}/{inner} deleted", _deletion((key, inner))


def _threshold_shifts(path: Path, condition: RuleData) -> Iterator[Edit]:
    threshold: Mapping[str, Any] = condition["threshold"]
    here = (*path, "threshold")
    for key in (*_COMPARED, "tolerance", "reference_at_least"):
        bound = threshold.get(key)
        if isinstance(bound, list):
            for index, each in enumerate(bound):
                yield from _scalings((*here, key, index), each)
        elif bound is not None:
            yield from _scalings((*here, key), bound)
    statistic = condition.get("statistic")
    if isinstance(statistic, dict):
        for key in _STATISTIC_BOUNDS:
            if key in statistic:
                yield from _scalings((*path, "statistic", key), statistic[key])


def _window_shifts(path: Path, condition: RuleData) -> Iterator[Edit]:
    places = [((*path, "window"), condition.get("window"))]
    for key in _RELATIONS:
        reference = condition["threshold"].get(key)
        if isinstance(reference, dict):
            places.append(((*path, "threshold", key, "window"), reference.get("window")))
    for place, window in places:
        if isinstance(window, int):
            yield from _scalings(place, window)
        elif isinstance(window, dict):
            for key, value in window.items():
                yield from _scalings((*place, key), value)


def _count_shifts(data: RuleData, path: Path) -> Iterator[Edit]:
    for key in _COUNTED:
        for count in (data.get(key, 0) - 1, data.get(key, 0) + 1):
            if key in data and count >= 1:
                here = (*path, key)
                yield Kind.SHIFT, f"{_words(here)} {count} for {data[key]}", _setting(here, count)


def _scalings(path: Path, value: float | str) -> Iterator[Edit]:
    """Yield the edits that make a number a fifth smaller or a quarter larger."""
    if value == 0:
        return
    for factor in _FACTORS:
        scaled: float | str
        if isinstance(value, str):
            scaled = f"({value}) * {factor}"
        elif path[-1] in _WHOLE_NUMBERS:
            scaled = max(1, round(value * factor))
        else:
            scaled = value * factor
        if scaled != value:
            yield Kind.SHIFT, f"{_words(path)} {scaled} for {value}", _setting(path, scaled)


def _setting(path: Path, value: object) -> Callable[[RuleData], None]:
    def edit(data: RuleData) -> None:
        _at(data, path[:-1])[path[-1]] = deepcopy(value)

    return edit


def _deletion(path: Path) -> Callable[[RuleData], None]:
    def edit(data: RuleData) -> None:
        del _at(data, path[:-1])[path[-1]]

    return edit


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _words(path: Path) -> str:
    return "/".join(map(str, path))
