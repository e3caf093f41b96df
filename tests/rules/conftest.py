"""Small rule files for the tests of the rule language."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.problem import InvalidRulesError

_REST = {
    "title": "A title",
    "severity": "high",
    "message": "a message",
    "remediation": "[do this]",
    "citation": "[]",
    "threshold_origin": "empirical",
    "detects": "[loss_spike]",
}
_CONDITION = {"metric": "loss", "threshold": "{above: 1}"}
_CONDITION_KEYS = {"metric", "threshold", "all", "any", "not", "crash"}


@pytest.fixture(scope="session", name="rule_file")
def _rule_file() -> Callable[[str], str]:
    """Complete a part of rule 'a' to a file; the first line of the part is line 4, column 5.

    Keys that every rule needs are added below the part, a condition only if it has none.
    """

    def complete(part: str) -> str:
        given = {line.partition(":")[0] for line in part.splitlines() if not line.startswith(" ")}
        rest = dict(_REST) if given & _CONDITION_KEYS else {**_CONDITION, **_REST}
        added = [f"{key}: {value}" for key, value in rest.items() if key not in given]
        lines = [*part.splitlines(), *added]
        return "version: 1\nrules:\n  - id: a\n" + textwrap.indent("\n".join(lines), "    ")

    return complete


@pytest.fixture(scope="session", name="problems_in")
def _problems_in() -> Callable[[str], list[str]]:
    """Load one file and return its problems as its author reads them."""

    def problems_in(text: str) -> list[str]:
        try:
            load_bundle([Source("my.yaml", text.encode())])
        except InvalidRulesError as error:
            return str(error).splitlines()
        return []

    return problems_in


@pytest.fixture(scope="session", name="load_rule")
def _load_rule(rule_file: Callable[[str], str]) -> Callable[[str], Rule]:
    """Load the one rule that a part completes to."""

    def load_rule(part: str) -> Rule:
        (rule,) = load_bundle([Source("my.yaml", rule_file(part).encode())]).rules
        return rule

    return load_rule
