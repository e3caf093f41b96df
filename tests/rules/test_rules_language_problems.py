"""Mistakes in second levels, references, statistics with parameters, gates and overrides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.condition import (
    MetricCondition,
    Relation,
    WholeRun,
    Window,
    metric_conditions,
)
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.severity import Severity

RuleFile = Callable[[str], str]
Problems = Callable[[str], list[str]]
LoadRule = Callable[[str], Rule]

ABOVE = "metric: x\nthreshold: {above: 1}\n"
JOINED = (
    "all: [{metric: x, threshold: {above: 1}, label: first}, {metric: y, threshold: {above: 1}}]\n"
)


def _told(problem: str) -> str:
    place, _, what = problem.partition(": ")
    return f"my.yaml:{place}: rule 'a': {what}"


@pytest.mark.parametrize(
    ("part", "problems"),
    [
        # The rules of these tests are of severity high.
        (
            ABOVE + "escalation: {severity: high, threshold: {above: 9}}",
            ["6:28: 'high' must be more severe than the rule's 'high'"],
        ),
        (
            ABOVE + "escalation: {severity: low, threshold: {above: 9}}",
            ["6:28: 'low' must be more severe than the rule's 'high'"],
        ),
        (
            ABOVE + "escalation: {severity: critical}",
            ["6:17: needs a threshold, or a condition of its own: metric, all, any, not"],
        ),
        (
            ABOVE + "escalation: {severity: critical, statistic: last, threshold: {above: 9}}",
            ["6:38: another statistic needs 'metric' beside it"],
        ),
        (
            ABOVE + "escalation: {severity: critical, label: z, metric: y, threshold: {above: 9}}",
            ["6:38: 'label' picks a condition of the rule; this is one of its own"],
        ),
        (
            ABOVE + "escalation: {severity: critical, window: 5, threshold: {above: 9}}",
            ["6:17: the rule looks at 'last' and has no window to change"],
        ),
        (
            JOINED + "escalation: {severity: critical, label: frst, threshold: {above: 9}}",
            ["5:17: the rule has no condition labelled 'frst'; did you mean 'first'?"],
        ),
        (
            JOINED + "escalation: {severity: critical, threshold: {above: 9}}",
            [
                "5:17: the rule has several conditions, so a threshold or window is ambiguous; "
                "say which with label (first)"
            ],
        ),
        (
            ABOVE.replace("1}", "1, relative_to: baseline, difference_from: baseline}"),
            ["5:50: 'relative_to' and 'difference_from' exclude each other"],
        ),
        (
            ABOVE.replace("1}", "1, difference_from: {metric: y, statistic: age}}"),
            ["5:67: 'age' cannot be a reference"],
        ),
        (
            "metric: x\nstatistic: age\nthreshold: {above: 1, relative_to: baseline}",
            ["6:16: 'age' counts steps and is compared with a number"],
        ),
        (
            "metric: x\nstatistic: quantile\nwindow: 5\nthreshold: {above: 1}",
            ["5:16: 'quantile' needs 'q'; write such as {name: quantile, q: 0.9}"],
        ),
        (
            "metric: x\nstatistic: {name: mean, q: 0.5}\nwindow: 5\nthreshold: {above: 1}",
            ["5:29: 'mean' has no 'q'; it takes no parameters"],
        ),
        (
            "metric: x\nstatistic: {name: adwin, threshold: 3}\nwindow: 15\nthreshold: {above: 1}",
            ["5:30: 'adwin' has no 'threshold'; it takes delta, direction"],
        ),
        (
            "metric: x\nstatistic: adwin\nwindow: 5\nthreshold: {above: 1}",
            ["6:13: 'adwin' needs a window of at least 10, not 5"],
        ),
        (
            "metric: x\nstatistic: slope\nwindow: run\nthreshold: {above: 1}",
            [
                "6:13: 'slope' has no meaning over the whole run; there are max, mean, median, "
                "min, quantile, range, std"
            ],
        ),
        (
            "metric: x\nstatistic: {name: fraction, above: 1, below: 0}\nwindow: 5\n"
            "threshold: {above: 0.5}",
            [
                "5:16: needs exactly one of above, below, between, outside, equals; "
                "not above and below together"
            ],
        ),
        (
            "metric: 'a/*/*'\nthreshold: {above: 1}",
            ["4:13: 'a/*/*' has more than one *; one is allowed"],
        ),
        (
            ABOVE + "after: {at_most_steps: 5}",
            ["6:13: 'at_most_steps' bounds 'fraction', which is missing"],
        ),
        (
            ABOVE + "after: {steps: 50}\nuntil: {steps: 50}",
            ["7:20: 'until' must lie behind 'after' 50"],
        ),
        (
            ABOVE + "trl: 1.12 or so",
            ["6:10: '1.12 or so' is no range of versions; write such as '>=1.12,<2'"],
        ),
        (
            "message: '{ratio}'\nall: [{metric: x, threshold: {above: 1}, label: difference}]",
            ["3:5: label 'difference' has a meaning of its own in messages; choose another"],
        ),
        (
            "all: [{metric: x, threshold: {above: 1}, label: z}, "
            "{metric: y, threshold: {above: 1}, label: z}]",
            ["3:5: label 'z' names more than one condition"] * 2,
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(
    rule_file: RuleFile, problems_in: Problems, part: str, problems: list[str]
) -> None:
    assert problems_in(rule_file(part)) == [_told(problem) for problem in problems]


def test_a_second_level_replaces_the_threshold_and_keeps_the_rest(load_rule: LoadRule) -> None:
    rule = load_rule(
        "severity: low\nmetric: x\nstatistic: mean\nwindow: 20\nfor: 4\n"
        "threshold: {above: 2, difference_from: baseline}\n"
        "escalation: {severity: high, window: run, threshold: {above: 9}}"
    )
    assert rule.escalation is not None
    assert (rule.escalation.severity, rule.escalation.required_observations) == ("high", 4)
    first, second = rule.condition, rule.escalation.condition
    assert isinstance(first, MetricCondition)
    assert isinstance(second, MetricCondition)
    assert (second.metric, second.statistic.name) == ("x", "mean")
    assert (first.statistic.window, second.statistic.window) == (Window(20, 20), WholeRun.RUN)
    assert first.threshold.relation is Relation.DIFFERENCE
    assert second.threshold.reference is None


BASE = """\
version: 1
rules:
  - id: a
    all:
      - {metric: x, statistic: mean, window: 5, threshold: {above: 1}, label: first}
      - {metric: y, threshold: {above: 1}, label: second}
    severity: low
    escalation: {severity: medium, label: first, threshold: {above: 9}}
    title: A title
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""


def _overridden(override: str) -> Rule:
    text = f"version: 1\noverrides:\n  - {{id: a, reason: r, {override}}}\n"
    sources = [Source("base.yaml", BASE.encode()), Source("my.yaml", text.encode())]
    (rule,) = load_bundle(sources).rules
    return rule


def test_an_override_changes_the_condition_with_its_label() -> None:
    changed = _overridden("label: second, threshold: {below: -1}, for: 7")
    first, second = metric_conditions(changed.condition)
    assert (first.threshold.comparison, second.threshold.comparison) == ("above", "below")
    assert changed.required_observations == 7
    first, _ = metric_conditions(_overridden("label: first, window: run").condition)
    assert first.statistic.window is WholeRun.RUN


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "threshold: {above: 2}",
            "has several conditions, so a threshold or window is ambiguous; "
            "say which with label (first, second)",
        ),
        (
            "label: thrd, threshold: {above: 2}",
            "has no condition labelled 'thrd'; there are first, second",
        ),
        ("label: first, for: 3", "'label' belongs to 'threshold' or 'window'"),
        ("label: second, window: 3", "looks at 'last' and has no window to change"),
    ],
)
def test_an_override_with_a_label_that_does_not_fit(override: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^my\.yaml:3:\d+: rule 'a': ") as raised:
        _overridden(override)
    assert str(raised.value).endswith(f"rule 'a': {problem}")


@pytest.mark.parametrize(
    ("severity", "second"),
    [("low", "medium"), ("medium", "medium"), ("high", "high"), ("critical", "critical")],
)
def test_a_second_level_does_not_stay_behind_an_overridden_severity(
    severity: str, second: str
) -> None:
    """An insight would sink instead of rise."""
    rule = _overridden(f"severity: {severity}")
    assert rule.escalation is not None
    assert (rule.severity, rule.escalation.severity) == (severity, second)
    assert rule.highest_severity is Severity(second)
