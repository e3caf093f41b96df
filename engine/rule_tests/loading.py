"""Reads files of rule tests and reports every mistake in them with its place."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.rule_tests.case import ExpectedInsight, RuleTest
from post_training_toolkit.engine.rule_tests.series import SeriesValue, parse_series
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.document import MAX_BYTES, Document, Path, read_document
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.profile import EVAL_PREFIX
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.schemas import load_schema

# All series of a file together; bounds the memory that a short text can ask for.
_MAX_VALUES = 1_000_000


def load_rule_tests(path: FilePath) -> list[RuleTest]:
    """Read a file of rule tests; raises ``InvalidRulesError`` with every located mistake.

    Raises ``OSError`` when the file cannot be read.
    """
    with path.open("rb") as file:
        document = read_document(str(path), file.read(MAX_BYTES + 1))
    if document.data is not None:
        _check_schema(document)
    tests = [] if document.problems else _Reading(document).tests()
    if document.problems:
        raise InvalidRulesError(document.problems)
    return tests


def _check_schema(document: Document) -> None:
    for path, problem in check_schema(document, load_schema("rule_tests")):
        in_series = len(path) == 4 and path[2] in ("series", "eval_series")
        if in_series and isinstance(_at(document.data, path), int | float):
            message = "quote this series: YAML reads it as a single number, and 0x as hexadecimal"
            document.problems.append(document.problem(path, message))
        else:
            document.problems.append(problem)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


class _Reading:
    """Builds the tests of one schema-checked document; mistakes go to ``document.problems``."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def tests(self) -> list[RuleTest]:
        seen: dict[str, int] = {}
        tests = []
        for index, data in enumerate(self._document.data["tests"]):
            path = ("tests", index)
            first = seen.setdefault(data["name"], index)
            if first != index:
                line = self._document.positions["tests", first, "name"][0]
                self._report((*path, "name"), f"this name is taken in line {line}")
            test = self._test(data, path)
            if test is not None:
                tests.append(test)
        return tests

    def _report(self, path: Path, message: str) -> None:
        self._document.problems.append(self._document.problem(path, message))

    def _test(self, data: dict[str, Any], path: Path) -> RuleTest | None:
        problems_before = len(self._document.problems)
        series = self._series(data, "series", path)
        eval_series = self._series(data, "eval_series", path)
        self._check(data, path)
        if len(self._document.problems) > problems_before:
            return None
        logging_steps, eval_steps = data.get("logging_steps", 1), data.get("eval_steps", 1)
        lengths = [
            *(len(values) * logging_steps for values in series.values()),
            *(len(values) * eval_steps for values in eval_series.values()),
        ]
        expect = data.get("expect")
        return RuleTest(
            name=data["name"],
            run=RunDescription(
                data["trainer"],
                data.get("configuration", {}),
                data.get("max_steps", max(lengths, default=1)),
                logging_steps,
                data.get("trl"),
            ),
            series=series,
            eval_series=eval_series,
            eval_steps=eval_steps,
            death=Death(**data["died"]) if "died" in data else None,
            rules=frozenset(data.get("rules", ())),
            expect=None if expect is None else tuple(ExpectedInsight(**each) for each in expect),
            silent=frozenset(data.get("silent", ())),
            rule_files=tuple(self._document.data.get("rule_files", ())),
            document=self._document,
            path=path,
        )

    def _series(self, data: dict[str, Any], key: str, path: Path) -> dict[str, list[SeriesValue]]:
        series = {}
        for metric, text in data.get(key, {}).items():
            try:
                series[metric] = parse_series(text)
            except ValueError as error:
                self._report((*path, key, metric), str(error))
                continue
            self._values += len(series[metric])
            if self._values > _MAX_VALUES:
                message = f"the series of a file have at most {_MAX_VALUES:,} values together"
                self._report((*path, key, metric), message)
                break
        return series

    def _check(self, data: dict[str, Any], path: Path) -> None:
        if not {"series", "eval_series", "died"} & data.keys():
            self._report(path, "needs a 'series', an 'eval_series' or 'died'")
        if "eval_series" in data and "eval_steps" not in data:
            self._report(path, "'eval_series' needs 'eval_steps', the steps from one to the next")
        for metric in data.get("eval_series", {}):
            if not metric.startswith(EVAL_PREFIX):
                message = f"an evaluation logs {EVAL_PREFIX + metric!r}, not {metric!r}"
                self._report((*path, "eval_series", metric), message)
        if "expect" not in data and "silent" not in data:
            self._report(path, "needs 'expect' or 'silent'; 'expect: []' demands silence")
        told = {entry["rule"] for entry in data.get("expect", ())}
        for index, rule in enumerate(data.get("silent", ())):
            if rule in told:
                message = f"rule {rule!r} cannot be silent and be expected to fire"
                self._report((*path, "silent", index), message)
        self._check_order(data, path)

    def _check_order(self, data: dict[str, Any], path: Path) -> None:
        for index, entry in enumerate(data.get("expect", ())):
            here = (*path, "expect", index)
            if entry.get("resolved", entry["step"] + 1) <= entry["step"]:
                self._report((*here, "resolved"), "an insight resolves after it fires")
            if entry.get("escalated", entry["step"]) < entry["step"]:
                self._report((*here, "escalated"), "an insight escalates when it fires or later")
