"""Files of rule tests: how they are read, and every mistake with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from post_training_toolkit.engine.rule_tests import (
    NOT_LOGGED,
    RuleTest,
    check_names,
    load_rule_tests,
    run_rule_test,
)
from post_training_toolkit.rules.catalogue import rule_subjects
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.schemas import load_schema

LoadRules = Callable[..., tuple[Rule, ...]]

TESTS = """\
version: 1
rule_files: [mine.yaml]
tests:
  - name: high is told
    trainer: sft
    series: {x: 0x3 5x2}
    expect:
      - {rule: a, step: 4, severity: high, message: a message}
  - name: low is not
    trainer: dpo
    configuration: {beta: 0.1}
    max_steps: 50
    series: {x: 0x3 1, y: _ 5}
    rules: [a]
    expect: []
  - name: rows come every ten steps, evaluations every twenty
    trainer: null
    logging_steps: 10
    eval_steps: 20
    series: {x: 1x3}
    eval_series: {eval_x: 7x2}
    silent: [a]
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tests.yaml"
    path.write_text(text)
    return path


def _one(tmp_path: Path, body: str) -> RuleTest:
    text = f"version: 1\ntests:\n  - {{name: one, trainer: sft, {body}}}\n"
    (test,) = load_rule_tests(_file(tmp_path, text))
    return test


def _problems(tmp_path: Path, text: str) -> list[str]:
    path = _file(tmp_path, text)
    with pytest.raises(InvalidRulesError) as caught:
        load_rule_tests(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_a_test_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = _file(tmp_path, TESTS)
    first, second, _ = load_rule_tests(path)
    assert (first.name, first.run.trainer, first.run.max_steps) == ("high is told", "sft", 5)
    assert (dict(first.run.configuration), first.rules) == ({}, frozenset())
    assert first.rule_files == ("mine.yaml",)
    assert (first.place, second.place) == ((str(path), 4), (str(path), 9))
    assert first.expect is not None
    assert [(each.rule, each.step, each.resolved) for each in first.expect] == [("a", 4, None)]
    assert (second.run.configuration, second.run.max_steps) == ({"beta": 0.1}, 50)
    assert second.series == {"x": [0.0, 0.0, 0.0, 1.0], "y": [NOT_LOGGED, 5.0]}
    assert (second.rules, second.expect) == (frozenset({"a"}), ())


def test_rows_have_the_steps_at_which_a_trainer_logs_them(tmp_path: Path) -> None:
    """An evaluation is a row of its own, after the training row of its step."""
    test = load_rule_tests(_file(tmp_path, TESTS))[2]
    assert (test.run.trainer, test.run.max_steps, test.run.logging_steps) == (None, 40, 10)
    assert test.rows() == [
        (10, {"x": 1.0}),
        (20, {"x": 1.0}),
        (20, {"eval_x": 7.0}),
        (30, {"x": 1.0}),
        (40, {"eval_x": 7.0}),
    ]


def test_a_row_holds_what_was_logged_at_its_step(tmp_path: Path) -> None:
    """Null is logged, an underscore is not; where nothing is logged there is no row."""
    test = _one(tmp_path, 'series: {x: 1 _ null, y: "5"}, expect: []')
    assert test.rows() == [(1, {"x": 1.0, "y": 5.0}), (3, {"x": None})]


def test_every_mistake_of_a_test_file_is_told_with_its_place(tmp_path: Path) -> None:
    text = TESTS.replace("trainer: sft", "trainers: sft").replace("severity: high", "severity: hgh")
    assert _problems(tmp_path, text.replace("max_steps: 50", "max_steps: many")) == [
        "4:5: key 'trainer' is missing: The trainer of the run; null for one that the toolkit "
        "does not know.",
        "5:5: unknown key 'trainers'; did you mean 'trainer'?",
        "8:38: 'severity' cannot be 'hgh'; did you mean 'high'?",
        "12:16: 'max_steps' must be a whole number, not 'many'",
    ]


def test_every_mistake_in_a_series_is_told_with_its_place(tmp_path: Path) -> None:
    text = TESTS.replace("0x3 5x2", "0x3 5y2").replace("y: _ 5", "y: zero")
    what = "is no series; write such as 0.7, 0.7x20, 0.7-0.01x20, nan, _"
    assert _problems(tmp_path, text) == [f"6:17: '5y2' {what}", f"13:27: 'zero' {what}"]


def test_a_series_that_yaml_reads_as_a_number_is_to_be_quoted(tmp_path: Path) -> None:
    """0x20 without quotes would be the number 32."""
    text = TESTS.replace("x: 1x3", "x: 0x20")
    what = "quote this series: YAML reads it as a single number, and 0x as hexadecimal"
    assert _problems(tmp_path, text) == [f"20:17: {what}"]


@pytest.mark.parametrize(
    ("written", "instead", "what"),
    [
        ("trainer: sft", "trainer: stf", "5:14: 'trainer' cannot be 'stf'; did you mean 'sft'?"),
        ("name: low is not", "name: high is told", "9:11: this name is taken in line 4"),
        ("x: 0x3 5x2", 'x: ""', "6:17: an empty series tests nothing"),
        ("    expect: []", "", "9:5: needs 'expect' or 'silent'"),
        ("    series: {x: 1x3}\n    eval_series: {eval_x: 7x2}\n", "", "16:5: needs a 'series'"),
        ("    eval_steps: 20\n", "", "16:5: 'eval_series' needs 'eval_steps'"),
        ("eval_x", "loss", "21:25: an evaluation logs 'eval_loss', not 'loss'"),
        ("expect: []", "expect: []\n    silent: []", "16:13: 'silent': [] "),
        (
            "severity: high,",
            "resolved: 4,",
            "8:38: an insight resolves after it fires",
        ),
        ("severity: high,", "escalated: 3,", "8:39: an insight escalates when it fires or later"),
        (
            "silent: [a]",
            "silent: [a]\n    expect: [{rule: a, step: 1}]",
            "22:14: rule 'a' cannot be silent and be expected to fire",
        ),
        ("rule_files: [mine.yaml]", "rule_files: mine.yaml", "2:13: 'rule_files' must be a list"),
    ],
)
def test_a_test_that_would_prove_nothing_is_an_error(
    tmp_path: Path, written: str, instead: str, what: str
) -> None:
    assert written in TESTS
    problems = _problems(tmp_path, TESTS.replace(written, instead, 1))
    assert [problem[: len(what)] for problem in problems] == [what]


def test_the_values_of_a_file_are_bounded(tmp_path: Path) -> None:
    series = ", ".join(f"m{index}: 1x100000" for index in range(11))
    text = f"version: 1\ntests:\n  - {{name: a, trainer: sft, series: {{{series}}}, expect: []}}\n"
    [problem] = _problems(tmp_path, text)
    assert problem.endswith("the series of a file have at most 1,000,000 values together")


def test_trainers_are_those_of_the_profiles() -> None:
    trainer = load_schema("rule_tests")["$defs"]["test"]["properties"]["trainer"]
    assert set(trainer["enum"]) == {*rule_subjects(), None}


SPIKE = "series: {x: 0 5x2 0x2}"
HIGH = (
    "{metric: x, threshold: {above: 1}, for: 2, keep_firing_for: 1, message: '{value:.1f} is high'}"
)
ONLY_DPO = "{metric: x, threshold: {above: 1}, trainers: [dpo]}"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("expect: [{rule: aa, step: 1}]", "no rule 'aa'; did you mean 'a'?"),
        ("rules: [zz], expect: []", "no rule 'zz'"),
        ("silent: [zz]", "no rule 'zz'"),
        ("expect: [{rule: a, step: 3, caused_by: zz}]", "no rule 'zz'"),
        ("expect: [{rule: b, step: 3}]", "rule 'b' is not for trainer 'sft'"),
        ("silent: [b]", "rule 'b' is not for trainer 'sft'"),
        (
            "rules: [b], expect: []",
            "none of these rules is for trainer 'sft', so nothing is tested",
        ),
        (
            "rules: [a], expect: [{rule: c, step: 3}]",
            "rule 'c' is not among the 'rules' of this test",
        ),
    ],
)
def test_names_are_checked_so_that_no_silence_is_vacuous(
    load_rules: LoadRules, tmp_path: Path, body: str, what: str
) -> None:
    test = _one(tmp_path, f"{SPIKE}, {body}")
    with pytest.raises(InvalidRulesError) as caught:
        check_names([test], load_rules(HIGH, ONLY_DPO, HIGH))
    [problem] = caught.value.problems
    assert (problem.line, problem.message) == (3, what)
    assert problem.column > 20


def test_a_filter_may_hold_rules_for_other_trainers_beside_one_for_this(
    load_rules: LoadRules, tmp_path: Path
) -> None:
    test = _one(tmp_path, f"{SPIKE}, rules: [a, b], expect: []")
    check_names([test], load_rules(HIGH, ONLY_DPO))
    assert not run_rule_test(test, load_rules(HIGH, ONLY_DPO)).passed
