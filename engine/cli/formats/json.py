"""One JSON document for programs."""

from __future__ import annotations

import json
from typing import Any

from post_training_toolkit.engine.cli.validation import Validation
from post_training_toolkit.rules.problem import Problem


def format_json(validation: Validation) -> str:
    """Return the files, what is valid in them, and every problem with its level and place."""
    problems = [_problem("error", error) for error in validation.errors]
    problems += [_problem("warning", finding) for finding in validation.findings]
    document = {
        "version": 1,
        "files": validation.files,
        "rules": validation.rules,
        "tests": validation.tests,
        "problems": problems,
    }
    return json.dumps(document, indent=2) + "\n"


def _problem(level: str, problem: Problem) -> dict[str, Any]:
    return {
        "level": level,
        "code": problem.code,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "rule": problem.rule,
        "message": problem.message,
    }
