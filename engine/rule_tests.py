"""Runs unit tests of rules: series of metrics in, expected insights or silence out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.schemas import load_schema

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ITEM = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<kind>[-+~])(?P<step>{_NUMBER}))?(?:x(?P<count>\d+))?"
)
_WORD = re.compile(r"(?P<word>nan|inf|-inf|null|_)(?:x(?P<count>\d+))?")
_WORDS: Mapping[str, float | None] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "null": None,
}


class NotLogged:
    """Stands for a step at which a metric was not logged."""


NOT_LOGGED = NotLogged()
SeriesValue = float | None | NotLogged


@dataclass(frozen=True, slots=True)
class ExpectedInsight:
    """An insight that a test demands; None leaves that part open."""

    rule: str
    step: int
    severity: str | None = None
    resolved: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: a run's series, one value a step, and the insights in order of firing.

    An empty ``expect`` demands silence. ``rules`` limits the judgement to these rules.
    """

    name: str
    trainer: str
    configuration: Mapping[str, Any]
    max_steps: int
    series: Mapping[str, Sequence[SeriesValue]]
    rules: frozenset[str]
    expect: tuple[ExpectedInsight, ...]


def parse_series(text: str) -> list[SeriesValue]:
    """Expand the compact notation of a series; raises ``ValueError`` for what is none.

    >>> parse_series("0.5 1x2 3-0.5x3 2~0.5x2 null")
    [0.5, 1.0, 1.0, 3.0, 2.5, 2.0, 2.5, 1.5, None]
    """
    values: list[SeriesValue] = []
    for item in str(text).split():
        if match := _WORD.fullmatch(item):
            word = match["word"]
            value = NOT_LOGGED if word == "_" else _WORDS[word]
            values += [value] * int(match["count"] or 1)
        elif match := _ITEM.fullmatch(item):
            values += _numbers(match)
        else:
            raise ValueError(
                f"{item!r} is no series; write such as 0.7, 0.7x20, 0.7-0.01x20, nan, _"
            )
    return values


def load_rule_tests(path: Path) -> list[RuleTest]:
    """Read a file of rule tests; raises ``InvalidRulesError`` with every located mistake."""
    document = read_document(str(path), path.read_bytes())
    if document.data is not None:
        found = check_schema(document, load_schema("rule_tests"))
        document.problems.extend(problem for _, problem in found)
    if document.problems:
        raise InvalidRulesError(document.problems)
    tests = []
    for index, entry in enumerate(document.data["tests"]):
        try:
            tests.append(_build(entry))
        except ValueError as error:
            place = ("tests", index, "series")
            document.problems.append(document.problem(place, str(error)))
    if document.problems:
        raise InvalidRulesError(document.problems)
    return tests


def run_rule_test(test: RuleTest, rules: Iterable[Rule]) -> str | None:
    """Return None when the rules give exactly the expected insights, else what differs."""
    chosen = [rule for rule in rules if not test.rules or rule.id in test.rules]
    run = RunDescription(test.trainer, test.configuration, test.max_steps, logging_steps=1)
    engine = Engine(chosen, run)
    events: list[Event] = []
    for index in range(max(map(len, test.series.values()))):
        logs = {
            metric: values[index]
            for metric, values in test.series.items()
            if index < len(values) and values[index] is not NOT_LOGGED
        }
        events += engine.observe(index + 1, admit(logs))
    resolved = {event.insight: event.step for event in events if isinstance(event, InsightClosed)}
    fired = [event for event in events if isinstance(event, InsightFired)]
    if len(fired) == len(test.expect) and all(
        _matches(event, expected, resolved)
        for event, expected in zip(fired, test.expect, strict=True)
    ):
        return None
    got = [
        f"{event.rule} at {event.step} ({event.severity}, resolved {resolved.get(event.insight)}): "
        f"{event.message}"
        for event in fired
    ]
    return f"{test.name}\n  expected: {list(test.expect) or 'silence'}\n  got: {got or 'silence'}"


def _matches(event: InsightFired, expected: ExpectedInsight, resolved: Mapping[str, int]) -> bool:
    return (
        event.rule == expected.rule
        and event.step == expected.step
        and expected.severity in (None, event.severity)
        and expected.resolved in (None, resolved.get(event.insight))
        and (expected.message is None or expected.message in event.message)
    )


def _numbers(match: re.Match[str]) -> list[SeriesValue]:
    start, count = float(match["start"]), int(match["count"] or 1)
    if match["kind"] is None:
        return [start] * count
    step = float(match["step"])
    if match["kind"] == "~":
        return [start + step if index % 2 == 0 else start - step for index in range(count)]
    sign = 1.0 if match["kind"] == "+" else -1.0
    return [start + sign * step * index for index in range(count)]


def _build(data: dict[str, Any]) -> RuleTest:
    series = {metric: parse_series(text) for metric, text in data["series"].items()}
    return RuleTest(
        name=data["name"],
        trainer=data["trainer"],
        configuration=data.get("configuration", {}),
        max_steps=data.get("max_steps", max(map(len, series.values()))),
        series=series,
        rules=frozenset(data.get("rules", ())),
        expect=tuple(ExpectedInsight(**entry) for entry in data["expect"]),
    )
