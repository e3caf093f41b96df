"""Unit tests of rules: the notation of series, located mistakes, and what a run of one demands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from post_training_toolkit.engine.rule_tests import (
    NOT_LOGGED,
    SeriesValue,
    load_rule_tests,
    parse_series,
    run_rule_test,
)
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError

INF = float("inf")
LoadRules = Callable[..., tuple[Rule, ...]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.7", [0.7]),
        ("0.7x3", [0.7, 0.7, 0.7]),
        ("0x2", [0.0, 0.0]),
        ("1 2  3", [1.0, 2.0, 3.0]),
        ("3+0.5x3", [3.0, 3.5, 4.0]),
        ("3-0.5x3", [3.0, 2.5, 2.0]),
        ("2~0.5x3", [2.5, 1.5, 2.5]),
        ("-40x2", [-40.0, -40.0]),
        ("-200-1x3", [-200.0, -201.0, -202.0]),
        ("0-0.1x2", [0.0, -0.1]),
        ("1-0.5", [1.0]),
        ("1.0e-6x2", [1e-6, 1e-6]),
        ("1e-6-1e-7x2", [1e-6, 9e-7]),
        (".5 +2", [0.5, 2.0]),
        ("inf -inf infx2", [INF, -INF, INF, INF]),
        ("null nullx2", [None, None, None]),
        ("_ 1 _x2", [NOT_LOGGED, 1.0, NOT_LOGGED, NOT_LOGGED]),
        ("", []),
    ],
)
def test_the_notation_of_a_series(text: str, values: list[SeriesValue]) -> None:
    assert parse_series(text) == values


def test_nan_is_written_nan() -> None:
    [first, second] = parse_series("nanx2")
    assert isinstance(first, float)
    assert (first != first, first is second) == (True, True)


@pytest.mark.parametrize(
    "item", ["x3", "1x", "1xx2", "1..2", "NaN", "1,2", "0.7x-3", "2~", "1x2.5"]
)
def test_what_is_no_series_is_refused_with_what_would_be(item: str) -> None:
    with pytest.raises(ValueError, match="is no series; write such as") as caught:
        parse_series(f"1 {item} 2")
    assert str(caught.value).startswith(f"{item!r} is no series")


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tests.yaml"
    path.write_text(text)
    return path


TESTS = """\
version: 1
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
"""


def test_a_test_is_read_as_it_is_written(tmp_path: Path) -> None:
    first, second = load_rule_tests(_file(tmp_path, TESTS))
    assert (first.name, first.trainer, first.max_steps) == ("high is told", "sft", 5)
    assert (first.configuration, first.rules) == ({}, frozenset())
    assert [(each.rule, each.step, each.resolved) for each in first.expect] == [("a", 4, None)]
    assert (second.configuration, second.max_steps) == ({"beta": 0.1}, 50)
    assert second.series == {"x": [0.0, 0.0, 0.0, 1.0], "y": [NOT_LOGGED, 5.0]}
    assert (second.rules, second.expect) == (frozenset({"a"}), ())


def test_every_mistake_of_a_test_file_is_told_with_its_place(tmp_path: Path) -> None:
    text = TESTS.replace("trainer: sft", "trainers: sft").replace("severity: high", "severity: hgh")
    path = _file(tmp_path, text.replace("max_steps: 50", "max_steps: many"))
    with pytest.raises(InvalidRulesError) as caught:
        load_rule_tests(path)
    assert str(caught.value).splitlines() == [
        f"{path}:3:5: key 'trainer' is missing",
        f"{path}:4:5: unknown key 'trainers'; did you mean 'trainer'?",
        f"{path}:7:38: 'severity' cannot be 'hgh'; did you mean 'high'?",
        f"{path}:11:16: 'max_steps' must be a whole number, not 'many'",
    ]


def test_every_mistake_in_a_series_is_told_with_its_place(tmp_path: Path) -> None:
    path = _file(tmp_path, TESTS.replace("0x3 5x2", "0x3 5y2").replace("0x3 1", "zero"))
    with pytest.raises(InvalidRulesError) as caught:
        load_rule_tests(path)
    what = "is no series; write such as 0.7, 0.7x20, 0.7-0.01x20, nan, _"
    assert str(caught.value).splitlines() == [
        f"{path}:5:13: '5y2' {what}",
        f"{path}:12:13: 'zero' {what}",
    ]


HIGH = (
    "{metric: x, threshold: {above: 1}, for: 2, keep_firing_for: 1, message: '{value:.1f} is high'}"
)


@pytest.mark.parametrize(
    ("expect", "passes"),
    [
        ("[{rule: a, step: 3}]", True),
        ("[{rule: a, step: 3, severity: high, resolved: 4, message: is high}]", True),
        ("[]", False),
        ("[{rule: b, step: 3}]", False),
        ("[{rule: a, step: 2}]", False),
        ("[{rule: a, step: 3, severity: low}]", False),
        ("[{rule: a, step: 3, resolved: 5}]", False),
        ("[{rule: a, step: 3, message: is low}]", False),
        ("[{rule: a, step: 3}, {rule: a, step: 4}]", False),
    ],
)
def test_a_test_passes_only_if_everything_it_says_is_so(
    load_rules: LoadRules, tmp_path: Path, expect: str, passes: bool
) -> None:
    text = (
        "version: 1\ntests:\n  - {name: spike, trainer: sft, series: {x: 0 5x2 0x2}, "
        f"expect: {expect}}}\n"
    )
    [test] = load_rule_tests(_file(tmp_path, text))
    difference = run_rule_test(test, load_rules(HIGH))
    assert (difference is None) is passes
    if difference is not None:
        assert difference.startswith("spike\n  expected: ")
        assert difference.endswith("got: ['a at 3 (high, resolved 4): 5.0 is high']")


def test_a_difference_shows_silence_as_such(load_rules: LoadRules, tmp_path: Path) -> None:
    text = (
        "version: 1\ntests:\n"
        "  - {name: quiet, trainer: sft, series: {x: 0.0x2}, expect: [{rule: a, step: 1}]}\n"
        "  - {name: loud, trainer: sft, series: {x: 5x2}, expect: []}\n"
    )
    quiet, loud = load_rule_tests(_file(tmp_path, text))
    missed, unexpected = (str(run_rule_test(test, load_rules(HIGH))) for test in (quiet, loud))
    assert "expected: [ExpectedInsight(rule='a', step=1," in missed
    assert missed.endswith("got: silence")
    assert "expected: silence\n  got: ['a at 2 " in unexpected


def test_a_series_may_end_early_and_have_holes(load_rules: LoadRules, tmp_path: Path) -> None:
    """A step at which a metric is not logged is no observation of it."""
    text = (
        "version: 1\ntests:\n  - {name: holes, trainer: sft, series: {y: 1x2, x: 0 5 _ _ 5}, "
        "expect: [{rule: a, step: 5}]}\n"
    )
    [test] = load_rule_tests(_file(tmp_path, text))
    assert test.max_steps == 5
    assert run_rule_test(test, load_rules(HIGH)) is None


def test_an_episode_open_at_the_end_is_not_resolved(load_rules: LoadRules, tmp_path: Path) -> None:
    text = (
        "version: 1\ntests:\n  - {name: stays, trainer: sft, series: {x: 5x3}, "
        "expect: [{rule: a, step: 2, resolved: 3}]}\n"
    )
    [test] = load_rule_tests(_file(tmp_path, text))
    assert "resolved None" in str(run_rule_test(test, load_rules(HIGH)))


def test_a_test_can_look_at_some_rules_only(load_rules: LoadRules, tmp_path: Path) -> None:
    text = (
        "version: 1\ntests:\n  - {name: b, trainer: sft, series: {x: 5x3}, rules: [b], "
        "expect: [{rule: b, step: 1}]}\n"
    )
    [test] = load_rule_tests(_file(tmp_path, text))
    assert run_rule_test(test, load_rules(HIGH, "{metric: x, threshold: {above: 4}}")) is None
