"""SARIF 2.1.0, the format of code scanning.

The structure is that of the OASIS standard, sections 3.13 (file), 3.14 (run), 3.19 (tool
component), 3.27 (result) and 3.28 (location).
"""

from __future__ import annotations

import json
from typing import Any

from post_training_toolkit.engine.cli.formats.location import sentence, uri
from post_training_toolkit.engine.cli.validation import Validation
from post_training_toolkit.rules.lint import CODES
from post_training_toolkit.rules.problem import INVALID, Problem

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_MEANINGS = {INVALID: "The file cannot be used as it stands.", **CODES}
_INDEX = {code: index for index, code in enumerate(_MEANINGS)}


def format_sarif(validation: Validation) -> str:
    """Return one run with every code as a reporting rule and every problem as a result."""
    # It takes longer to import than most checks take.
    from importlib.metadata import version

    results = [_result("error", error) for error in validation.errors]
    results += [_result("warning", finding) for finding in validation.findings]
    run = {
        "tool": {
            "driver": {
                "name": "ptt-rules",
                "version": version("post-training-toolkit"),
                "rules": [
                    {
                        "id": code,
                        "shortDescription": {"text": meaning},
                        "defaultConfiguration": {
                            "level": "error" if code == INVALID else "warning"
                        },
                    }
                    for code, meaning in _MEANINGS.items()
                ],
            }
        },
        # Columns count characters, not the halves of UTF-16.
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "results": results,
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(level: str, problem: Problem) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(problem.file)},
            "region": {"startLine": problem.line, "startColumn": problem.column},
        }
    }
    if problem.rule is not None:
        location["logicalLocations"] = [{"name": problem.rule, "kind": "object"}]
    return {
        "ruleId": problem.code,
        "ruleIndex": _INDEX[problem.code],
        "level": level,
        "message": {"text": sentence(problem)},
        "locations": [location],
    }
