"""Every shipped rule passes its own unit tests, and has one of each kind."""

from __future__ import annotations

import pytest

from post_training_toolkit.engine.rule_tests import RuleTest, measure_coverage, run_rule_test
from post_training_toolkit.engine.rule_tests.report import describe_result
from post_training_toolkit.engine.rule_tests.suite import load_suite

((RULES, TESTS),) = load_suite(()).groups


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{test.run.trainer}: {test.name}")
def test_a_shipped_rule_test_passes(test: RuleTest) -> None:
    result = run_rule_test(test, RULES)
    assert result.passed, describe_result(result)


def test_every_shipped_rule_fires_in_a_test_and_is_silent_in_one_in_which_it_looked() -> None:
    """Silence proves something only where the rule ran and had enough to judge."""
    results = [run_rule_test(test, RULES) for test in TESTS]
    lacking = [each for each in measure_coverage(RULES, results) if not each.complete]
    assert [f"{each.rule}: no test in which {each.lacking}" for each in lacking] == []


def test_no_two_tests_promise_the_same() -> None:
    names = [test.name for test in TESTS]
    assert len(names) == len(set(names))
