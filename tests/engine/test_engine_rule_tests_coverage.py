"""Coverage of rules by tests: one in which a rule fires, one in which it could and does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from post_training_toolkit.engine.rule_tests import (
    RuleCoverage,
    load_rule_tests,
    measure_coverage,
    run_rule_test,
)
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]

RULES = (
    "{metric: x, threshold: {above: 1}}",
    "{metric: y, threshold: {above: 1}, trainers: [dpo]}",
    "{metric: x, statistic: mean, window: 3, threshold: {above: 9}}",
)
FIRES = "{name: f, trainer: sft, series: {x: 0 5}, rules: [a], expect: [{rule: a, step: 2}]}"
QUIET = "{name: q, trainer: dpo, series: {x: 0.0x3, y: 0.0x3}, expect: []}"


def _cover(rules: tuple[Rule, ...], tmp_path: Path, *tests: str) -> list[str]:
    """Say what is covered, such as "a fires" and "a silent"."""
    path = tmp_path / "tests.yaml"
    path.write_text("version: 1\ntests:\n" + "".join(f"  - {test}\n" for test in tests))
    results = [run_rule_test(test, rules) for test in load_rule_tests(path)]
    covered = []
    for each in measure_coverage(rules, results):
        covered += [f"{each.rule} fires"] * each.fires + [f"{each.rule} silent"] * each.silent
    return covered


@pytest.mark.parametrize(
    ("test", "covered"),
    [
        (FIRES, ["a fires"]),
        (QUIET, ["a silent", "b silent", "c silent"]),
        # Another trainer than the rule's; a metric that is not there; a window that is not full.
        (
            "{name: q, trainer: sft, series: {x: 0.0x3, y: 0.0x3}, expect: []}",
            ["a silent", "c silent"],
        ),
        ("{name: q, trainer: dpo, series: {x: 0.0x2}, expect: []}", ["a silent"]),
        # Only what the test demands counts.
        ("{name: q, trainer: dpo, series: {x: 0.0x3}, rules: [c], expect: []}", ["c silent"]),
        ("{name: q, trainer: dpo, series: {x: 0.0x3}, silent: [c]}", ["c silent"]),
        ("{name: q, trainer: dpo, series: {x: 0.0x3}, rules: [a, c], silent: [c]}", ["c silent"]),
        # A test that fails shows nothing.
        ("{name: q, trainer: sft, series: {x: 5x3}, expect: []}", []),
    ],
)
def test_what_a_test_covers(
    load_rules: LoadRules, tmp_path: Path, test: str, covered: list[str]
) -> None:
    assert _cover(load_rules(*RULES), tmp_path, test) == covered


def test_tests_add_up(load_rules: LoadRules, tmp_path: Path) -> None:
    covered = _cover(load_rules(*RULES), tmp_path, FIRES, QUIET)
    assert covered == ["a fires", "a silent", "b silent", "c silent"]


@pytest.mark.parametrize(
    ("coverage", "complete", "lacking"),
    [
        (RuleCoverage("a", fires=True, silent=True), True, ""),
        (RuleCoverage("a", fires=False, silent=True), False, "it fires"),
        (RuleCoverage("a", fires=True, silent=False), False, "it could fire and stays silent"),
    ],
)
def test_a_rule_needs_both_kinds(coverage: RuleCoverage, complete: bool, lacking: str) -> None:
    assert (coverage.complete, coverage.lacking) == (complete, lacking)
