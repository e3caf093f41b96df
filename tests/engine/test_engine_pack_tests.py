"""Every shipped rule passes its own unit tests, and has one of each kind."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.rule_tests import (
    NOT_LOGGED,
    RuleTest,
    load_rule_tests,
    run_rule_test,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.sources import default_sources

RULES = load_bundle(default_sources()).rules
_FOLDER = Path(str(files("post_training_toolkit.rules") / "pack_tests"))
TESTS = [test for path in sorted(_FOLDER.glob("*.yaml")) for test in load_rule_tests(path)]

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{test.trainer}: {test.name}")
def test_a_shipped_rule_test_passes(test: RuleTest) -> None:
    assert run_rule_test(test, RULES) is None


@every_rule
def test_every_shipped_rule_fires_in_a_test(rule: Rule) -> None:
    assert any(expected.rule == rule.id for test in TESTS for expected in test.expect)


@every_rule
def test_every_shipped_rule_is_silent_in_a_test_in_which_it_looked(rule: Rule) -> None:
    """Silence proves something only where the rule ran and had enough to judge."""
    assert any(_looked(rule, test) for test in TESTS if not test.expect)


def _looked(rule: Rule, test: RuleTest) -> bool:
    meant = not test.rules or rule.id in test.rules
    if not meant or (rule.gate.trainers and test.trainer not in rule.gate.trainers):
        return False
    engine = Engine([rule], RunDescription(test.trainer, test.configuration, test.max_steps, 1))
    for index in range(max(map(len, test.series.values()))):
        logs = {
            metric: values[index]
            for metric, values in test.series.items()
            if index < len(values) and values[index] is not NOT_LOGGED
        }
        engine.observe(index + 1, admit(logs))
    return engine.coverage() == ()


def test_tests_name_only_rules_that_exist() -> None:
    """A misspelt name under ``rules`` would make every expectation of silence come true."""
    named = {name for test in TESTS for name in test.rules}
    named |= {expected.rule for test in TESTS for expected in test.expect}
    assert named - {rule.id for rule in RULES} == set()


def test_no_two_tests_promise_the_same() -> None:
    names = [test.name for test in TESTS]
    assert len(names) == len(set(names))
