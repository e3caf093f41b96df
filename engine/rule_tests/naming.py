"""Finds tests that name rules which do not exist or cannot fire, and so would prove nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from post_training_toolkit.engine.rule_tests.case import RuleTest
from post_training_toolkit.rules.document import Path
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.suggestion import guess


def check_names(tests: Iterable[RuleTest], rules: Iterable[Rule]) -> None:
    """Check the names of rules in tests; raises ``InvalidRulesError`` with every located mistake.

    A misspelt name would make every expectation of silence come true.
    """
    known = {rule.id: rule for rule in rules}
    problems = [problem for test in tests for problem in _problems(test, known)]
    if problems:
        raise InvalidRulesError(problems)


def applies(rule: Rule, trainer: str | None) -> bool:
    """Return whether a rule is for this trainer."""
    return not rule.gate.trainers or trainer in rule.gate.trainers


def _problems(test: RuleTest, known: Mapping[str, Rule]) -> Iterator[Problem]:
    for path, name in _places(test):
        if name not in known:
            yield test.problem(path, f"no rule {name!r}{guess(name, known)}")
        # Under 'rules' it is one of several; only if none is left the test is empty.
        elif path[0] != "rules" and not applies(known[name], test.run.trainer):
            yield test.problem(path, f"rule {name!r} is not for trainer {test.run.trainer!r}")
        if test.rules and path[0] != "rules" and name not in test.rules:
            yield test.problem(path, f"rule {name!r} is not among the 'rules' of this test")
    chosen = [known[name] for name in test.rules if name in known]
    if chosen and not any(applies(rule, test.run.trainer) for rule in chosen):
        message = f"none of these rules is for trainer {test.run.trainer!r}, so nothing is tested"
        yield test.problem(("rules",), message)


def _places(test: RuleTest) -> Iterator[tuple[Path, str]]:
    """Yield every name of a rule in a test with its place."""
    data = test.document.data
    for part in test.path:
        data = data[part]
    for key in ("rules", "silent"):
        for index, name in enumerate(data.get(key, ())):
            yield (key, index), name
    for index, entry in enumerate(data.get("expect", ())):
        yield ("expect", index, "rule"), entry["rule"]
        if "caused_by" in entry:
            yield ("expect", index, "caused_by"), entry["caused_by"]
