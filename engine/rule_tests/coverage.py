"""Which rules have a test in which they fire, and one in which they could and stay silent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from post_training_toolkit.engine.rule_tests.case import RuleTest
from post_training_toolkit.engine.rule_tests.naming import applies
from post_training_toolkit.engine.rule_tests.running import (
    RuleTestResult,
    judged_rules,
    reason_unable,
)
from post_training_toolkit.rules.model import Rule


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """Whether the passed tests show that a rule fires, and that it stays silent."""

    rule: str
    fires: bool
    silent: bool

    @property
    def complete(self) -> bool:
        """Whether both are tested."""
        return self.fires and self.silent

    @property
    def lacking(self) -> str:
        """What there is no test for, in words."""
        lacking = []
        if not self.fires:
            lacking.append("it fires")
        if not self.silent:
            lacking.append("it could fire and stays silent")
        return " and none in which ".join(lacking)


def measure_coverage(
    rules: Iterable[Rule], results: Iterable[RuleTestResult]
) -> tuple[RuleCoverage, ...]:
    """Return the coverage of each rule by the tests that passed.

    A test counts as silent for a rule only where the rule looked and had enough to judge.
    """
    tests = [result.test for result in results if result.passed]
    fired = {expected.rule for test in tests for expected in test.expect or ()}
    return tuple(
        RuleCoverage(rule.id, rule.id in fired, any(_stays_silent(rule, test) for test in tests))
        for rule in rules
    )


def covered_percent(coverage: Iterable[RuleCoverage]) -> float:
    """Return the share of rules with both kinds of test, in percent; 100 for no rules.

    >>> covered_percent([RuleCoverage("a", True, True), RuleCoverage("b", True, False)])
    50.0
    """
    complete = [each.complete for each in coverage]
    return 100.0 * sum(complete) / len(complete) if complete else 100.0


def _stays_silent(rule: Rule, test: RuleTest) -> bool:
    if rule.id in test.silent:
        return True
    if test.expect is None:
        return False
    return (
        rule.id not in {expected.rule for expected in test.expect}
        and applies(rule, test.run.trainer)
        and bool(judged_rules(test, [rule]))
        and reason_unable(rule, test) is None
    )
