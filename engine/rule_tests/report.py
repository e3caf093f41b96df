"""Shows results of rule tests as text and as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from post_training_toolkit.engine.rule_tests.case import ExpectedInsight
from post_training_toolkit.engine.rule_tests.coverage import RuleCoverage, covered_percent
from post_training_toolkit.engine.rule_tests.running import Difference, RuleTestResult
from post_training_toolkit.rules.printable import printable

_INDENT = "    "


def text_report(
    results: Sequence[RuleTestResult], coverage: Sequence[RuleCoverage] | None
) -> Iterator[str]:
    """Yield the tests that failed and, if it was measured, what the rules lack."""
    for result in results:
        if not result.passed:
            yield describe_result(result)
    if coverage is not None:
        for each in coverage:
            if not each.complete:
                yield f"{each.rule}: no test in which {each.lacking}"
        complete = sum(each.complete for each in coverage)
        percent = covered_percent(coverage)
        yield f"coverage: {percent:.1f} % ({complete} of {len(coverage)} rules)"


def json_report(
    results: Sequence[RuleTestResult], coverage: Sequence[RuleCoverage] | None
) -> Iterator[str]:
    """Yield the same results as one JSON document."""
    passed = sum(result.passed for result in results)
    data: dict[str, Any] = {
        "passed": passed,
        "failed": len(results) - passed,
        "tests": [result_data(result) for result in results],
    }
    if coverage is not None:
        percent = round(covered_percent(coverage), 2)
        data["coverage"] = {"percent": percent, "rules": [asdict(each) for each in coverage]}
    yield json.dumps(data, indent=2, ensure_ascii=False)


def describe_result(result: RuleTestResult) -> str:
    """Return the paragraph that tells of a test that failed, one block for each difference."""
    file, line = result.test.place
    lines = [f"FAIL {file}:{line}: {printable(result.test.name)}"]
    for difference in result.differences:
        lines += _block(difference)
    return "\n".join(lines)


def result_data(result: RuleTestResult) -> dict[str, Any]:
    """Return a result as values that JSON can hold."""
    file, line = result.test.place
    return {
        "name": printable(result.test.name),
        "file": file,
        "line": line,
        "passed": result.passed,
        "differences": [
            {
                "what": printable(difference.what),
                "expected": difference.expected and _given(difference.expected),
                "got": difference.got and _given(difference.got),
            }
            for difference in result.differences
        ],
    }


def _block(difference: Difference) -> Iterator[str]:
    yield f"  {printable(difference.what)}"
    if difference.expected is None and difference.got is None:
        return
    expected = _cells(difference.expected)
    got = _cells(difference.got)
    keys = [each.name for each in fields(ExpectedInsight) if {each.name} & {*expected, *got}]
    for title, cells in (("expected", expected), ("got", got)):
        padded = (
            cells.get(key, "").ljust(max(len(expected.get(key, "")), len(got.get(key, ""))))
            for key in keys
        )
        row = "  ".join(padded).rstrip() if cells else "silence"
        yield f"{_INDENT}{title:<8}  {row}"


def _cells(insight: ExpectedInsight | None) -> dict[str, str]:
    given = _given(insight) if insight else {}
    return {key: f"{key}: {value}" for key, value in given.items()}


def _given(insight: ExpectedInsight) -> dict[str, Any]:
    """Return the parts that are there, as they stand in a test file."""
    return {
        key: printable(value) if isinstance(value, str) else value
        for key, value in asdict(insight).items()
        if value is not None
    }


REPORTS = {"text": text_report, "json": json_report}
