"""Unit tests of rules: series of metrics in, expected insights or silence out."""

from post_training_toolkit.engine.rule_tests.case import ExpectedInsight, RuleTest
from post_training_toolkit.engine.rule_tests.coverage import RuleCoverage, measure_coverage
from post_training_toolkit.engine.rule_tests.loading import load_rule_tests
from post_training_toolkit.engine.rule_tests.naming import check_names
from post_training_toolkit.engine.rule_tests.running import RuleTestResult, run_rule_test
from post_training_toolkit.engine.rule_tests.series import NOT_LOGGED, SeriesValue, parse_series

__all__ = [
    "NOT_LOGGED",
    "ExpectedInsight",
    "RuleCoverage",
    "RuleTest",
    "RuleTestResult",
    "SeriesValue",
    "check_names",
    "load_rule_tests",
    "measure_coverage",
    "parse_series",
    "run_rule_test",
]
