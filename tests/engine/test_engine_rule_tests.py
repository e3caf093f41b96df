"""Unit tests of rules: what they demand, and how a difference is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from post_training_toolkit.engine.rule_tests import (
    RuleTest,
    check_names,
    load_rule_tests,
    run_rule_test,
)
from post_training_toolkit.engine.rule_tests.report import describe_result
from post_training_toolkit.rules.message import Message
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]

SPIKE = "series: {x: 0 5x2 0x2}"
HIGH = (
    "{metric: x, threshold: {above: 1}, for: 2, keep_firing_for: 1, message: '{value:.1f} is high'}"
)


def _one(tmp_path: Path, body: str) -> RuleTest:
    path = tmp_path / "tests.yaml"
    path.write_text(f"version: 1\ntests:\n  - {{name: one, trainer: sft, {body}}}\n")
    (test,) = load_rule_tests(path)
    return test


@pytest.mark.parametrize(
    ("expect", "what"),
    [
        ("[{rule: a, step: 3}]", None),
        ("[{rule: a, step: 3, severity: high, resolved: 4, message: is high, metric: x}]", None),
        ("[]", "a fires, and is not expected"),
        ("[{rule: a, step: 2}]", "a: step differs"),
        ("[{rule: a, step: 3, severity: low}]", "a: severity differs"),
        ("[{rule: a, step: 3, resolved: 5}]", "a: resolved differs"),
        ("[{rule: a, step: 3, metric: y}]", "a: metric differs"),
        ("[{rule: a, step: 3, caused_by: a}]", "a: caused_by differs"),
        ("[{rule: a, step: 3, escalated: 3}]", "a: escalated differs"),
        ("[{rule: a, step: 2, message: is low}]", "a: step and message differ"),
        ("[{rule: a, step: 3}, {rule: a, step: 4}]", "a does not fire"),
        ("[{rule: a, step: 4}, {rule: a, step: 3}]", "a does not fire"),
    ],
)
def test_a_test_passes_only_if_everything_it_says_is_so(
    load_rules: LoadRules, tmp_path: Path, expect: str, what: str | None
) -> None:
    result = run_rule_test(_one(tmp_path, f"{SPIKE}, expect: {expect}"), load_rules(HIGH))
    assert [each.what for each in result.differences] == ([] if what is None else [what])
    assert result.passed is (what is None)


def test_a_difference_shows_both_sides_in_columns(load_rules: LoadRules, tmp_path: Path) -> None:
    body = f"{SPIKE}, expect: [{{rule: a, step: 2, resolved: 4}}, {{rule: b, step: 2}}]"
    test = _one(tmp_path, body)
    silent = "{metric: y, threshold: {above: 1}}"
    result = run_rule_test(test, load_rules(HIGH, silent, "{metric: x, threshold: {above: 4}}"))
    assert describe_result(result).splitlines() == [
        f"FAIL {tmp_path / 'tests.yaml'}:3: one",
        "  a: step differs",
        "    expected  rule: a  step: 2                             resolved: 4",
        "    got       rule: a  step: 3  severity: high  metric: x  resolved: 4  "
        "message: 5.0 is high",
        "  b does not fire: y was never logged",
        "    expected  rule: b  step: 2",
        "    got       silence",
        "  c fires, and is not expected",
        "    expected  silence",
        "    got       rule: c  step: 2  severity: high  metric: x  message: a message",
    ]


def test_silent_rules_must_have_been_able_to_fire(load_rules: LoadRules, tmp_path: Path) -> None:
    rules = load_rules(
        HIGH,
        "{metric: x, threshold: {above: 9}}",
        "{metric: y, threshold: {above: 9}}",
        "{metric: x, threshold: {above: 9}, where: {beta: [1]}}",
        "{metric: x, statistic: mean, window: 6, threshold: {above: 9}}",
    )
    result = run_rule_test(_one(tmp_path, f"{SPIKE}, silent: [a, b, c, d, e]"), rules)
    assert [each.what for each in result.differences] == [
        "a fires, and must be silent",
        "c is silent, but could not judge: y was never logged",
        "d is silent, but could not judge: it is not for such a run",
        "e is silent, but could not judge: 5 observations did not fill its windows and its "
        "waiting time",
    ]


def test_silence_alone_says_nothing_about_other_rules(
    load_rules: LoadRules, tmp_path: Path
) -> None:
    rules = load_rules(HIGH, "{metric: x, threshold: {above: 9}}")
    alone = _one(tmp_path, f"{SPIKE}, silent: [b]")
    beside = _one(tmp_path, f"{SPIKE}, silent: [b], expect: []")
    assert run_rule_test(alone, rules).passed
    [difference] = run_rule_test(beside, rules).differences
    assert difference.what == "a fires, and is not expected"


TWO_LEVELS = (
    "{metric: x, threshold: {above: 1}, escalation: {severity: critical, threshold: {above: 8}}}"
)
CAUSE = "{metric: x, threshold: {above: 8}}"
CONSEQUENCE = "{metric: x, threshold: {above: 1}, caused_by: [a]}"


@pytest.mark.parametrize(
    ("expect", "what"),
    [
        ("[{rule: a, step: 2, severity: high, escalated: 3}]", None),
        ("[{rule: a, step: 2, escalated: 2}]", "a: escalated differs"),
        ("[{rule: a, step: 2}]", "a escalates, and is not expected to"),
    ],
)
def test_an_escalation_is_part_of_what_is_expected(
    load_rules: LoadRules, tmp_path: Path, expect: str, what: str | None
) -> None:
    test = _one(tmp_path, f"series: {{x: 0 5 9}}, expect: {expect}")
    result = run_rule_test(test, load_rules(TWO_LEVELS))
    assert [each.what for each in result.differences] == ([] if what is None else [what])


@pytest.mark.parametrize("series", ["0 9", "0 5 9"])
def test_a_consequence_is_caused_by_a_rule_whichever_fires_first(
    load_rules: LoadRules, tmp_path: Path, series: str
) -> None:
    last = len(series.split())
    expect = f"[{{rule: a, step: {last}}}, {{rule: b, step: 2, caused_by: a}}]"
    test = _one(tmp_path, f"series: {{x: {series}}}, expect: {expect}")
    rules = load_rules(CAUSE, CONSEQUENCE)
    check_names([test], rules)
    assert run_rule_test(test, rules).passed
    reversed_rules = load_rules(CAUSE, CONSEQUENCE)[::-1]
    assert run_rule_test(test, reversed_rules).passed


def test_the_version_of_the_library_and_the_steps_of_logs_reach_the_rules(
    load_rules: LoadRules, tmp_path: Path
) -> None:
    rule = "{metric: x, threshold: {above: logging_steps}, trl: '>=1.12'}"
    body = "series: {x: 0 12}, logging_steps: 10, rules: [a]"
    new = _one(tmp_path, f"{body}, trl: 1.16.0, expect: [{{rule: a, step: 20}}]")
    old = _one(tmp_path, f"{body}, trl: 1.11.0, expect: []")
    assert run_rule_test(new, load_rules(rule)).passed
    assert run_rule_test(old, load_rules(rule)).passed


def test_an_evaluation_is_judged_as_a_row_of_its_own(load_rules: LoadRules, tmp_path: Path) -> None:
    rule = "{metric: eval_loss, threshold: {above: 1}}"
    body = "series: {loss: 0.5x4}, eval_steps: 2, eval_series: {eval_loss: 0.5 2}"
    test = _one(tmp_path, f"{body}, expect: [{{rule: a, step: 4}}]")
    assert run_rule_test(test, load_rules(rule)).passed


def test_a_step_at_which_a_metric_is_not_logged_is_no_observation(
    load_rules: LoadRules, tmp_path: Path
) -> None:
    test = _one(tmp_path, "series: {y: 1x2, x: 0 5 _ _ 5}, expect: [{rule: a, step: 5}]")
    assert test.run.max_steps == 5
    assert run_rule_test(test, load_rules(HIGH)).passed


def test_an_episode_open_at_the_end_is_not_resolved(load_rules: LoadRules, tmp_path: Path) -> None:
    test = _one(tmp_path, "series: {x: 5x3}, expect: [{rule: a, step: 2, resolved: 3}]")
    [difference] = run_rule_test(test, load_rules(HIGH)).differences
    assert difference.got is not None
    assert difference.got.resolved is None


def test_a_test_can_look_at_some_rules_only(load_rules: LoadRules, tmp_path: Path) -> None:
    test = _one(tmp_path, "series: {x: 5x3}, rules: [b], expect: [{rule: b, step: 1}]")
    assert run_rule_test(test, load_rules(HIGH, "{metric: x, threshold: {above: 4}}")).passed


def test_a_rule_that_fails_inside_fails_the_test_instead_of_being_silent(
    load_rules: LoadRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Message, "render", broken)
    test = _one(tmp_path, f"{SPIKE}, expect: []")
    [difference] = run_rule_test(test, load_rules(HIGH)).differences
    assert "failed inside: RuntimeError: a bug" in difference.what
