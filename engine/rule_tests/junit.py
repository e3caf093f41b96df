"""Writes results of rule tests as a JUnit report, which CI systems show."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from xml.etree import ElementTree

from post_training_toolkit.engine.rule_tests.report import describe_result
from post_training_toolkit.engine.rule_tests.running import RuleTestResult
from post_training_toolkit.rules.printable import printable


def junit_report(results: Iterable[RuleTestResult]) -> bytes:
    """Return the XML text: a suite for each file, a case for each test."""
    root = ElementTree.Element("testsuites", name="ptt-rules test")
    for file, group in groupby(results, key=lambda result: result.test.place[0]):
        in_file = list(group)
        failures = sum(not result.passed for result in in_file)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(file),
            tests=str(len(in_file)),
            failures=str(failures),
            errors="0",
        )
        for result in in_file:
            line = str(result.test.place[1])
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=printable(file),
                name=printable(result.test.name),
                file=printable(file),
                line=line,
            )
            if not result.passed:
                what = printable(result.differences[0].what)
                failure = ElementTree.SubElement(case, "failure", message=what)
                failure.text = describe_result(result)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
