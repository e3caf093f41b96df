"""What a file says arrives in the rule, and what it leaves out has its default."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Comparison,
    MetricCondition,
    Not,
    Reference,
    ReferenceStatistic,
    Relation,
    StatisticChoice,
    Window,
    metric_conditions,
)
from post_training_toolkit.rules.model import Citation, Gate, Rule, Status
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.severity import Severity

EVERYTHING = """\
title: A title
description: Why it is bad
status: experimental
trainers: [dpo, sft]
where: {loss_type: [sigmoid, null], fp16: [false]}
after: {observations: 10, steps: 5, fraction: 0.2}
all:
  - metric: loss
    statistic: std
    window: {fraction: 0.1, at_least: 5, at_most: 50}
    threshold: {equals: initial_loss, tolerance: 0.1}
    label: spread
  - any:
      - metric: rewards/margins
        threshold: {below: 0.3, relative_to: running_best, reference_at_least: 5}
      - not: {metric: kl, threshold: {outside: [0, 1], relative_to: {statistic: median, window: 9}}}
  - {metric: grad_norm, threshold: {missing: true}}
for: 3
keep_firing_for: 7
severity: critical
detects: [not_learning, loss_plateau]
message: "{spread:.2f}"
remediation: [first, second]
citation:
  - {title: Paper, authors: A. Author, year: 2024, arxiv: "2401.00001", locator: Eq. 7,
     supports: threshold}
threshold_origin: paper
false_alarms: [sometimes]"""


def test_everything_a_rule_can_say_arrives(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule(EVERYTHING)
    assert (rule.id, rule.title, rule.description) == ("a", "A title", "Why it is bad")
    assert rule.status is Status.EXPERIMENTAL
    assert rule.gate == Gate(
        trainers=frozenset({"dpo", "sft"}),
        where={"loss_type": ("sigmoid", None), "fp16": (False,)},
        after_observations=10,
        after_steps=5,
        after_fraction=0.2,
    )
    assert (rule.required_observations, rule.keep_firing_for) == (3, 7)
    assert rule.severity is Severity.CRITICAL
    assert rule.detects == ("not_learning", "loss_plateau")
    assert rule.message.render({"spread": 0.5}) == "0.50"
    assert rule.remediation == ("first", "second")
    assert rule.citations == (
        Citation("Paper", "threshold", "A. Author", 2024, "2401.00001", locator="Eq. 7"),
    )
    assert rule.threshold_origin == "paper"
    assert rule.false_alarms == ("sometimes",)
    assert (rule.source, rule.line, rule.column) == ("my.yaml", 3, 5)


def test_conditions_keep_their_shape_and_order(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule(EVERYTHING)
    match rule.condition:
        case AllOf(
            (
                MetricCondition() as loss,
                AnyOf((MetricCondition() as margin, Not(MetricCondition() as kl))),
                MetricCondition() as gradient,
            )
        ):
            assert tuple(metric_conditions(rule.condition)) == (loss, margin, kl, gradient)
        case _:
            pytest.fail(f"another shape: {rule.condition}")
    assert loss.statistic == StatisticChoice("std", Window(5, 50, 0.1))
    assert loss.label == "spread"
    assert loss.threshold.comparison is Comparison.EQUALS
    assert loss.threshold.bounds[0].names == {"initial_loss"}
    assert loss.threshold.tolerance is not None
    assert loss.threshold.tolerance.evaluate({}) == 0.1
    assert margin.metric == "rewards/margins"
    assert margin.statistic == StatisticChoice("last", Window(1, 1))
    assert margin.threshold.reference is Reference.RUNNING_BEST
    assert margin.threshold.relation is Relation.RATIO
    assert margin.threshold.reference_at_least is not None
    assert margin.threshold.reference_at_least.evaluate({}) == 5.0
    assert kl.threshold.reference == ReferenceStatistic(StatisticChoice("median", Window(9, 9)))
    assert [bound.evaluate({}) for bound in kl.threshold.bounds] == [0.0, 1.0]
    assert gradient.threshold.comparison is Comparison.MISSING
    assert gradient.threshold.bounds == ()


def test_what_is_left_out_has_its_default(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule("")
    assert rule.status is Status.STABLE
    assert rule.gate == Gate()
    assert (rule.required_observations, rule.keep_firing_for) == (1, 5)
    assert (rule.description, rule.citations, rule.false_alarms) == ("", (), ())
    assert isinstance(rule.condition, MetricCondition)
    assert rule.condition.label is None


def test_a_share_of_the_run_may_have_one_size(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule(
        "metric: loss\nthreshold: {above: 1}\nstatistic: mean\n"
        "window: {fraction: 0.1, at_least: 9, at_most: 9}"
    )
    assert isinstance(rule.condition, MetricCondition)
    assert rule.condition.statistic.window == Window(9, 9, 0.1)


@pytest.mark.parametrize(
    ("window", "planned_logs", "size"),
    [
        (Window(20, 20), 1000, 20),
        (Window(20, 20), None, 20),
        (Window(5, 50, 0.1), 200, 20),
        (Window(5, 50, 0.1), 10, 5),
        (Window(5, 50, 0.1), 100_000, 50),
        (Window(5, 50, 0.1), None, 5),
    ],
)
def test_a_window_is_a_share_of_the_run_within_bounds(
    window: Window, planned_logs: int | None, size: int
) -> None:
    assert window.size(planned_logs) == size


def test_severities_are_ordered_by_rank_not_by_letter() -> None:
    ordered = ["low", "medium", "high", "critical"]
    assert sorted(Severity, key=lambda each: each.rank) == ordered
    assert sorted(Severity) != ordered


@pytest.mark.parametrize(
    ("citation", "line"),
    [
        (Citation("T", "mechanism"), '"T"'),
        (Citation("T", "mechanism", year=2024), '(2024), "T"'),
        (Citation("T", "remedy", "A", 2024, doi="10.1/2"), 'A (2024), "T", doi:10.1/2'),
        (Citation("T", "remedy", url="https://x.org"), '"T", https://x.org'),
    ],
)
def test_a_citation_is_one_line_to_look_up(citation: Citation, line: str) -> None:
    assert str(citation) == line


def test_problems_stand_in_the_order_of_files_and_places() -> None:
    places = [("b", 2, 1), ("a", 9, 1), ("b", 1, 7), ("b", 1, 3), ("a", 10, 1)]
    error = InvalidRulesError(
        Problem(file, line, column, None, "x") for file, line, column in places
    )
    assert str(error).splitlines() == ["b:1:3: x", "b:1:7: x", "b:2:1: x", "a:9:1: x", "a:10:1: x"]
