"""JUnit XML, which most CI servers show as test results."""

from __future__ import annotations

import re

from post_training_toolkit.engine.cli.formats.location import sentence
from post_training_toolkit.engine.cli.validation import Validation
from post_training_toolkit.rules.problem import Problem

# Text may hold any character by escapes in YAML, an XML document these only.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def format_junit(validation: Validation) -> str:
    """Return one test suite with a test case for each file.

    An error in a file is an ``error`` of its case, a finding a ``failure``.
    """
    # Other formats need no XML, and starting up should be quick.
    import xml.etree.ElementTree as ElementTree

    by_file: dict[str, list[tuple[str, Problem]]] = {file: [] for file in validation.files}
    for kind, problems in (("error", validation.errors), ("failure", validation.findings)):
        for problem in problems:
            by_file.setdefault(problem.file, []).append((kind, problem))
    suite = ElementTree.Element(
        "testsuite",
        name="ptt-rules validate",
        tests=str(len(by_file)),
        errors=str(_files_with("error", by_file)),
        failures=str(_files_with("failure", by_file)),
    )
    for file, found in by_file.items():
        case = ElementTree.SubElement(suite, "testcase", classname="rules", name=_xml_text(file))
        for kind, problem in found:
            place = f"{problem.file}:{problem.line}:{problem.column}"
            told = ElementTree.SubElement(
                case, kind, type=problem.code, message=_xml_text(sentence(problem))
            )
            told.text = _xml_text(f"{place}: {sentence(problem)}")
    document = ElementTree.Element("testsuites")
    document.append(suite)
    ElementTree.indent(document)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + ElementTree.tostring(document, encoding="unicode")
        + "\n"
    )


def _files_with(kind: str, by_file: dict[str, list[tuple[str, Problem]]]) -> int:
    return sum(any(each == kind for each, _ in found) for found in by_file.values())


def _xml_text(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
