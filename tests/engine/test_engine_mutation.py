"""Mutants of rules: which there are, and that the tests of the shipped rules notice them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from post_training_toolkit.engine.mutation import (
    Kind,
    Mutant,
    MutationScore,
    Verdict,
    judge_mutants,
    mutants_of,
    shipped_verdicts,
)
from post_training_toolkit.engine.rule_tests import load_rule_tests
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]

# Tests stand close to most boundaries of thresholds, counts, gates and windows.
SHIFTS_KILLED = 0.45


def _changes(text: str, kind: Kind) -> list[str]:
    rule = {"id": "a", **yaml.safe_load(text)}
    return [mutant.change for mutant in mutants_of(rule) if mutant.kind is kind]


def test_what_is_deleted_from_a_rule() -> None:
    rule = """
    all:
      - {metric: x, threshold: {above: 2, relative_to: baseline, reference_at_least: 1}}
      - not: {metric: y, threshold: {missing: true}}
    for: 2
    keep_firing_for: 3
    after: {observations: 4, fraction: 0.1}
    where: {beta: [0.1]}
    escalation: {severity: high, threshold: {above: 3}, label: x}
    """
    assert _changes(rule, Kind.DELETION) == [
        "all/0/threshold always holds",
        "all/0/threshold never holds",
        "all/0/threshold/relative_to deleted",
        "all/0/threshold/reference_at_least deleted",
        "all/1/not/threshold always holds",
        "all/1/not/threshold never holds",
        "escalation/threshold always holds",
        "escalation/threshold never holds",
        "all/0 deleted",
        "all/1 deleted",
        "for deleted",
        "keep_firing_for deleted",
        "escalation deleted",
        "after deleted",
        "after/observations deleted",
        "after/fraction deleted",
        "where deleted",
    ]


def test_what_is_shifted_in_a_rule() -> None:
    rule = """
    metric: x
    statistic: mean
    window: {fraction: 0.5, at_least: 4, at_most: 20}
    threshold: {between: [-2, 2 * n], relative_to: {statistic: median, window: 10}}
    for: 1
    after: {steps: 10}
    """
    assert _changes(rule, Kind.SHIFT) == [
        "threshold/between/0 -1.6 for -2",
        "threshold/between/0 -2.5 for -2",
        "threshold/between/1 (2 * n) * 0.8 for 2 * n",
        "threshold/between/1 (2 * n) * 1.25 for 2 * n",
        "window/fraction 0.4 for 0.5",
        "window/fraction 0.625 for 0.5",
        "window/at_least 3 for 4",
        "window/at_least 5 for 4",
        "window/at_most 16 for 20",
        "window/at_most 25 for 20",
        "threshold/relative_to/window 8 for 10",
        "threshold/relative_to/window 12 for 10",
        "for 2 for 1",
        "after/steps 8 for 10",
        "after/steps 12 for 10",
    ]


def test_a_change_that_changes_nothing_or_leaves_no_rule_is_no_mutant() -> None:
    rule = "any: [{metric: x, statistic: mean, window: 1, threshold: {above: 0}}]"
    assert _changes(rule, Kind.SHIFT) == []
    assert _changes(rule, Kind.DELETION) == [
        "any/0/threshold always holds",
        "any/0/threshold never holds",
    ]


def test_a_mutant_has_one_change_and_leaves_the_rule_alone() -> None:
    rule: dict[str, Any] = {"id": "a", "metric": "x", "threshold": {"above": 2}, "for": 3}
    mutants = {mutant.change: mutant.data for mutant in mutants_of(rule)}
    assert mutants["for deleted"] == {"id": "a", "metric": "x", "threshold": {"above": 2}}
    assert mutants["for 2 for 3"] == {**rule, "for": 2}
    assert rule == {"id": "a", "metric": "x", "threshold": {"above": 2}, "for": 3}


RULE = "{metric: x, threshold: {above: 2}, for: 2}"
LOOSE = "{name: loose, trainer: sft, series: {x: 0.0x3 9x3}, expect: [{rule: a, step: 5}]}"
CLOSE = "{name: close, trainer: sft, series: {x: 1.9x3 2.1x3}, expect: [{rule: a, step: 5}]}"
WRONG = "{name: wrong, trainer: sft, series: {x: 1.9x3}, expect: [{rule: a, step: 5}]}"


def _survivors(load_rules: LoadRules, tmp_path: Path, *tests: str) -> list[str]:
    path = tmp_path / "tests.yaml"
    path.write_text("version: 1\ntests:\n" + "".join(f"  - {test}\n" for test in tests))
    rules = load_rules(RULE)
    data = {
        "id": "a",
        "title": "A",
        "severity": "high",
        "message": "m",
        "remediation": ["x"],
        "citation": [],
        "threshold_origin": "empirical",
        "detects": ["loss_spike"],
        **yaml.safe_load(RULE),
    }
    verdicts = judge_mutants(mutants_of(data), rules, load_rule_tests(path))
    return [each.mutant.change for each in verdicts if each.killed_by is None]


@pytest.mark.parametrize(
    ("test", "survivors"),
    [
        (LOOSE, ["threshold/above 1.6 for 2", "threshold/above 2.5 for 2"]),
        (CLOSE, []),
    ],
)
def test_a_change_that_no_test_notices_survives(
    load_rules: LoadRules, tmp_path: Path, test: str, survivors: list[str]
) -> None:
    assert _survivors(load_rules, tmp_path, test) == survivors


def test_a_test_that_fails_anyway_notices_nothing(load_rules: LoadRules, tmp_path: Path) -> None:
    assert len(_survivors(load_rules, tmp_path, WRONG)) == 7


def test_a_score_counts_one_kind() -> None:
    deletion = Mutant("a", Kind.DELETION, "for deleted", {})
    shift = Mutant("a", Kind.SHIFT, "for 2 for 3", {})
    verdicts = [Verdict(deletion, "a test"), Verdict(deletion, None), Verdict(shift, None)]
    assert str(MutationScore.of(verdicts, Kind.DELETION)) == "1 of 2 killed (50.0 %)"
    assert str(MutationScore.of(verdicts, Kind.SHIFT)) == "0 of 1 killed (0.0 %)"


@pytest.fixture(scope="module", name="verdicts")
def _verdicts() -> list[Verdict]:
    """Every mutant of the shipped rules, judged once."""
    return list(shipped_verdicts())


def test_deleting_any_threshold_gate_or_time_of_a_shipped_rule_fails_a_test(
    verdicts: list[Verdict],
) -> None:
    survivors = [
        str(each.mutant)
        for each in verdicts
        if each.mutant.kind is Kind.DELETION and each.killed_by is None
    ]
    assert survivors == []


def test_shifting_a_bound_of_a_shipped_rule_mostly_fails_a_test(verdicts: list[Verdict]) -> None:
    score = MutationScore.of(verdicts, Kind.SHIFT)
    assert score.killed / score.total > SHIFTS_KILLED, score
