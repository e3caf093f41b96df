"""Crash rules: what they may ask of a death, and which mistakes are told where."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.pattern import MOST_TEXT, PatternError, compile_pattern
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.schemas import load_schema

TOO_LONG = "it can take too long on some texts"
ONCE = "has no meaning beside 'crash': a run dies once"


def test_every_fact_of_the_file_is_in_the_rule(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule(
        "crash: {text: [one, two], exit_reason: [exited], signal: [SIGTERM], exit_code: [3, 4]}"
    )
    assert rule.condition == CrashCondition(("one", "two"), ("exited",), ("SIGTERM",), (3, 4))
    assert rule.metrics == ("exception",)


def test_one_pattern_needs_no_list(load_rule: Callable[[str], Rule]) -> None:
    assert load_rule("crash: {text: one}").condition == CrashCondition(("one",))


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("crash: {}", "4:12: 'crash': {} should be non-empty"),
        ("crash: {reason: [killed]}", "4:13: unknown key 'reason'; did you mean 'exit_reason'?"),
        (
            "crash: {exit_reason: [oom_kiled]}",
            "4:27: an item of 'exit_reason' cannot be 'oom_kiled'; did you mean 'oom_killed'?",
        ),
        (
            "crash: {exit_reason: killed}",
            "4:26: 'exit_reason' must be a list, not 'killed'",
        ),
        (
            "crash: {signal: [SIGSEG]}",
            "4:22: an item of 'signal' cannot be 'SIGSEG'; did you mean 'SIGSEGV'?",
        ),
        (
            "crash: {exit_code: [high]}",
            "4:25: an item of 'exit_code' must be a whole number, not 'high'",
        ),
        (
            "crash: {text: [fine, 'out of (memory']}",
            "4:26: no regular expression: missing ), unterminated subpattern at position 7",
        ),
        ("crash: {text: 'a|'}", "4:19: it matches every text"),
        (
            "crash: {text: a}\nmetric: loss\nthreshold: {above: 1}",
            "5:5: 'metric' cannot stand beside 'crash', which looks at no metric",
        ),
        (
            "crash: {text: a}\nnot: {metric: loss, threshold: {above: 1}}",
            "5:5: 'not' cannot stand beside 'crash', which looks at no metric",
        ),
        ("crash: {text: a}\nfor: 2", f"5:5: 'for' {ONCE}"),
        ("crash: {text: a}\ncool_down: 2", f"5:5: 'cool_down' {ONCE}"),
        ("crash: {text: a}\nafter: {observations: 2}", f"5:13: 'observations' {ONCE}"),
        (
            "any: [{crash: {text: a}}]",
            "4:12: unknown key 'crash'; there are all, any, label, metric, not, statistic, "
            "threshold, window",
        ),
    ],
)
def test_a_mistake_in_a_crash_rule_is_told_where_it_is(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    part: str,
    problem: str,
) -> None:
    place, _, what = problem.partition(": ")
    assert f"my.yaml:{place}: rule 'a': {what}" in problems_in(rule_file(part))


@pytest.mark.parametrize(
    "pattern",
    [
        "CUDA out of memory",
        "out of .* memory",
        "^KeyError: '(prompt|chosen|rejected)'$",
        r"worker \(pid.{0,60}\) (is killed|exited)",
        r"\d{1,9} of \d{1,9}",
        r"[^)]+\)",
        r"\[Errno (12|28)\]",
        "(?i)killed",
        "a{2}b{,1}c{4,}",
        "colou?r (?:at|in)?",
        "x{y}",
    ],
)
def test_what_a_rule_needs_is_allowed(pattern: str) -> None:
    compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(a+)+b", "a group cannot be repeated"),
        ("(a|aa){0,30}b", "a group cannot be repeated"),
        (r"(?:\w+\s?)*$", "a group cannot be repeated"),
        (".*.*x", TOO_LONG),
        ("a{0,300}b{0,300}", TOO_LONG),
        ("a{,}b+", TOO_LONG),
        ("(a|a)" * 17, TOO_LONG),
        ("(a?)" + "(b?c?)" * 8, TOO_LONG),
        (r"(a)\1", r"a reference to a group, '\\1', is not allowed"),
        ("(?P<one>a)(?P=one)", "'(?P=' is not allowed"),
        ("(a)?(?(1)b|c)", "'(?(1' is not allowed"),
        ("(?x) a +", "'(?x)' is not allowed"),
        ("(", "no regular expression: "),
        ("a{99999999999}", "no regular expression: "),
        ("(" * 500 + ")" * 500, "no regular expression: "),
        ("", "it matches every text"),
    ],
)
def test_a_pattern_that_could_take_too_long_or_says_nothing_is_refused(
    pattern: str, what: str
) -> None:
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (".*x", "a" * MOST_TEXT),
        ("a.*b", "a" * MOST_TEXT),
        ("a.{0,200}b.{0,200}c", "ab" * (MOST_TEXT // 2)),
        ("(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)b", "a" * MOST_TEXT),
    ],
)
def test_the_worst_that_is_allowed_ends_soon_on_the_longest_text(pattern: str, text: str) -> None:
    start = time.process_time()
    assert compile_pattern(pattern).search(text) is None
    assert time.process_time() - start < 20


def test_only_a_crash_rule_can_show_the_error(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]]
) -> None:
    message = 'message: "died of {error}"'
    (problem,) = problems_in(rule_file(message))
    assert "unknown placeholder {error}" in problem
    labelled = "any: [{metric: loss, threshold: {above: 1}, label: error}]"
    assert problems_in(rule_file(f"{labelled}\n{message}")) == []
    assert problems_in(rule_file(f"crash: {{text: x}}\n{message}")) == []


def test_for_cannot_be_changed_in_a_crash_rule() -> None:
    text = (
        "version: 1\nextends: [pack:crash]\noverrides:\n"
        "  - {id: disk_full, for: 3, reason: x}\n"
        "  - {id: disk_full, threshold: {above: 3}, reason: x}\n"
        "  - {id: disk_full, severity: low, reason: x}\n"
    )
    with pytest.raises(InvalidRulesError) as refused:
        load_bundle([Source("my.yaml", text.encode())])
    assert str(refused.value).splitlines() == [
        "my.yaml:4:10: rule 'disk_full': looks at how the run died, which it does once; "
        "leave 'for' out",
        "my.yaml:5:10: rule 'disk_full': has no condition that could be changed",
    ]


def _codes(rule_file: Callable[[str], str], first: str, second: str) -> list[str | None]:
    one = rule_file(first)
    _, _, other = rule_file(second).partition("rules:\n")
    text = one + "\n" + other.replace("id: a", "id: b")
    bundle = load_bundle([Source("my.yaml", text.encode())])
    return [finding.code for finding in lint_bundle(bundle, ["my.yaml"])]


@pytest.mark.parametrize(
    ("first", "second", "codes"),
    [
        ("{text: [x, y]}", "{text: [y, x]}", ["duplicate-rule"]),
        ("{text: [x, y]}", "{text: x}", ["shadowed-rule"]),
        ("{exit_reason: [exited]}", "{exit_reason: [exited], exit_code: [3]}", ["shadowed-rule"]),
        ("{text: x}", "{text: y}", []),
        ("{text: x}", "{exit_reason: [exited]}", []),
        ("{signal: [SIGBUS], text: x}", "{signal: [SIGBUS]}", ["shadowed-rule"]),
    ],
)
def test_a_crash_rule_that_says_what_another_says_is_a_finding(
    rule_file: Callable[[str], str], first: str, second: str, codes: list[str]
) -> None:
    assert _codes(rule_file, f"crash: {first}", f"crash: {second}") == codes


def test_the_words_for_a_death_are_the_same_in_every_schema() -> None:
    rules = load_schema("rules")["$defs"]
    test = load_schema("rule_tests")["$defs"]["death"]["properties"]
    line = load_schema("metrics_line")["$defs"]["death"]["properties"]
    assert (
        rules["exit_reason"]["enum"] == test["exit_reason"]["enum"] == line["exit_reason"]["enum"]
    )
    assert rules["signal"]["enum"] == test["signal"]["enum"]
    assert line["text"]["maxLength"] == MOST_TEXT
