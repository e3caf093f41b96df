"""Mistakes that a schema cannot see are told in words, where they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

ONE_OF = "needs exactly one of above, below, between, outside, equals, non_finite, missing; "


@pytest.mark.parametrize(
    ("threshold", "problems"),
    [
        ("{above: 1, below: 0}", [f"5:16: {ONE_OF}not above and below together"]),
        ("{tolerance: 1}", [f"5:16: {ONE_OF}none is there"]),
        ("{above: 1, tolerance: 1}", ["5:27: 'tolerance' belongs to 'equals'"]),
        (
            "{above: 1, reference_at_least: 1}",
            ["5:27: 'reference_at_least' belongs to 'relative_to' or 'difference_from'"],
        ),
        (
            "{missing: true, relative_to: baseline}",
            ["5:32: 'missing' compares nothing; leave 'relative_to' out"],
        ),
        (
            "{between: [0, 1], relative_to: running_best}",
            ["5:47: 'running_best' needs above or below, which say what is better"],
        ),
        (
            "{equals: 1, relative_to: running_best}",
            ["5:41: 'running_best' needs above or below, which say what is better"],
        ),
        ("{between: [2, 1]}", ["5:26: the first bound 2 must be below the second 1"]),
        ("{outside: [1, 1]}", ["5:26: the first bound 1 must be below the second 1"]),
        (
            '{between: ["sqrt(4)", "1 + 1"]}',
            ["5:26: the first bound sqrt(4) must be below the second 1 + 1"],
        ),
        ('{above: "1 +"}', ["5:24: '1 +' is not a number or an arithmetic expression"]),
        ('{above: ""}', ["5:24: '' is not a number or an arithmetic expression"]),
        ("{above: .inf}", ["5:24: a number must be finite"]),
        ("{below: .nan}", ["5:24: a number must be finite"]),
        ("{between: [0, 1.0e+999]}", ["5:30: a number must be finite"]),
        (
            "{equals: log, tolerance: beta.x}",
            [
                "5:25: 'log' is a function: write log(...)",
                "5:41: 'beta.x' is not allowed; use numbers, names, + - * / ** and "
                "abs, exp, log, max, min, sqrt",
            ],
        ),
        (
            "{above: 1, relative_to: {statistic: mean}}",
            ["5:40: key 'window' is missing: 'mean' needs one"],
        ),
        (
            "{above: 1, relative_to: {statistic: last, window: 3}}",
            ["5:58: 'last' takes no window; leave it out or choose another statistic"],
        ),
    ],
)
def test_a_threshold_that_says_nothing_clear(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    threshold: str,
    problems: list[str],
) -> None:
    found = problems_in(rule_file(f"metric: loss\nthreshold: {threshold}"))
    assert found == [problem_of_a(problem) for problem in problems]


@pytest.mark.parametrize(
    "threshold",
    [
        "{equals: initial_loss, tolerance: 0.1 * initial_loss}",
        "{between: [beta, 2 * beta]}",
        "{above: 1, relative_to: running_best, reference_at_least: 0.1}",
        "{above: 2, relative_to: {statistic: last}}",
        "{outside: [0.5, 2], relative_to: {statistic: median, window: 5}}",
        "{missing: true}",
    ],
)
def test_a_threshold_that_is_fine(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]], threshold: str
) -> None:
    assert problems_in(rule_file(f"metric: loss\nthreshold: {threshold}")) == []


@pytest.mark.parametrize(
    ("part", "problems"),
    [
        (
            "metric: loss",
            ["3:5: key 'threshold' is missing: say when the statistic is bad"],
        ),
        (
            "metric: loss\nthreshold: {above: 1}\nstatistic: mean",
            ["3:5: key 'window' is missing: 'mean' needs one"],
        ),
        (
            "metric: loss\nthreshold: {above: 1}\nwindow: 3",
            ["6:5: 'last' takes no window; leave it out or choose another statistic"],
        ),
        (
            "metric: loss\nthreshold: {above: 1}\nstatistic: last\nwindow: 3",
            ["7:5: 'last' takes no window; leave it out or choose another statistic"],
        ),
        (
            "metric: loss\nthreshold: {missing: true}\nstatistic: mean\nwindow: 3",
            [
                "6:5: 'missing' looks at the newest value; leave 'statistic' out",
                "7:5: 'missing' looks at the newest value; leave 'window' out",
            ],
        ),
        (
            "metric: loss\nthreshold: {above: 1}\nstatistic: mean\n"
            "window: {fraction: 0.1, at_least: 9, at_most: 5}",
            ["7:13: 'at_least' must not be above 'at_most'"],
        ),
        (
            "threshold: {above: 1}",
            ["3:5: needs exactly one of metric, all, any, not; none is there"],
        ),
        (
            "metric: loss\nthreshold: {above: 1}\nall: [{metric: x, threshold: {above: 1}}]",
            ["3:5: needs exactly one of metric, all, any, not; not metric and all together"],
        ),
        (
            "any: [{metric: x, threshold: {above: 1}}]\nthreshold: {above: 1}\nwindow: 5",
            [
                "5:5: 'threshold' goes into the conditions below 'any'",
                "6:5: 'window' goes into the conditions below 'any'",
            ],
        ),
        (
            "all:\n  - {}\n  - not: {label: x, any: [{metric: y}]}",
            [
                "5:9: needs exactly one of metric, all, any, not; none is there",
                "6:15: 'label' goes into the conditions below 'any'",
                "6:31: key 'threshold' is missing: say when the statistic is bad",
            ],
        ),
    ],
)
def test_a_condition_that_is_not_whole(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    part: str,
    problems: list[str],
) -> None:
    assert problems_in(rule_file(part)) == [problem_of_a(problem) for problem in problems]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("{vlaue}", "unknown placeholder {vlaue}; did you mean 'value'?"),
        ("{margn} {value}", "unknown placeholder {margn}; did you mean 'margin'?"),
        ("{value:d}", "{value:d} is not a number format; use one such as {value:.3g}"),
        (
            "{value",
            "expected '}' before end of string; write {{ and }} for literal braces",
        ),
    ],
)
def test_a_message_that_cannot_be_shown(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    message: str,
    problem: str,
) -> None:
    part = (
        f'message: "{message}"\n'
        "all: [not: {any: [{metric: x, threshold: {above: 1}, label: margin}]}]"
    )
    assert problems_in(rule_file(part)) == [problem_of_a(f"4:14: {problem}")]


def test_the_labels_of_all_conditions_are_placeholders(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]]
) -> None:
    part = (
        'message: "{loss:.2f} {margin} {value} {step}"\n'
        "all:\n"
        "  - {metric: loss, threshold: {above: 1}, label: loss}\n"
        "  - not: {any: [{metric: margin, threshold: {above: 1}, label: margin}]}"
    )
    assert problems_in(rule_file(part)) == []


@pytest.mark.parametrize("origin", ["paper", "documentation"])
@pytest.mark.parametrize("citation", ["[]", "[{title: x, supports: mechanism}]"])
def test_a_borrowed_number_needs_a_source_for_the_number(
    rule_file: Callable[[str], str],
    problems_in: Callable[[str], list[str]],
    origin: str,
    citation: str,
) -> None:
    assert problems_in(rule_file(f"threshold_origin: {origin}\ncitation: {citation}")) == [
        f"my.yaml:4:23: rule 'a': '{origin}' needs a citation that supports the threshold; "
        "without one say 'derivation' or 'empirical'"
    ]


@pytest.mark.parametrize(
    "part",
    [
        "threshold_origin: paper\ncitation: [{title: x, supports: threshold}]",
        "threshold_origin: derivation",
        "threshold_origin: empirical\ncitation: [{title: x, supports: mechanism}]",
    ],
)
def test_an_honest_number_is_fine(
    rule_file: Callable[[str], str], problems_in: Callable[[str], list[str]], part: str
) -> None:
    assert problems_in(rule_file(part)) == []


def problem_of_a(problem: str) -> str:
    """Add the file and the rule to 'line:column: what is wrong'."""
    place, _, what = problem.partition(": ")
    return f"my.yaml:{place}: rule 'a': {what}"
