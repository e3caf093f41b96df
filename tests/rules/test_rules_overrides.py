"""A project changes shipped rules without copying them, and says why."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.condition import Comparison, MetricCondition, Window
from post_training_toolkit.rules.model import Rule, RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.severity import Severity

BASE = """\
version: 1
rules:
  - id: simple
    metric: loss
    statistic: mean
    window: 20
    threshold: {above: 3, relative_to: baseline, reference_at_least: 0.5}
    for: 3
    severity: high
    REST
  - id: newest
    metric: grad_norm
    threshold: {non_finite: true}
    severity: critical
    REST
  - id: joined
    all:
      - {metric: loss, threshold: {above: 1}}
      - {metric: grad_norm, threshold: {above: 1}}
    severity: low
    REST
"""
REST = """\
title: A title
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]"""


def load(overrides: str) -> RuleBundle:
    """Load the base rules with overrides; the first override begins in line 3, column 3."""
    text = "version: 1\noverrides:\n" + textwrap.indent(overrides, "  ")
    base = Source("base.yaml", BASE.replace("REST", REST).encode())
    return load_bundle([base, Source("my.yaml", text.encode())])


def rules_with(overrides: str) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in load(overrides).rules}


@pytest.fixture(scope="module", name="untouched")
def _untouched() -> Mapping[str, Rule]:
    base = Source("base.yaml", BASE.replace("REST", REST).encode())
    return {rule.id: rule for rule in load_bundle([base]).rules}


def condition_of(rule: Rule) -> MetricCondition:
    assert isinstance(rule.condition, MetricCondition)
    return rule.condition


def test_disable_removes_one_rule_and_keeps_the_others(untouched: Mapping[str, Rule]) -> None:
    rules = rules_with("- {id: newest, reason: fp16, disable: true}")
    assert list(rules) == ["simple", "joined"]
    assert rules["simple"] is not untouched["simple"]
    assert rules["simple"].required_observations == 3
    assert rules["joined"].severity is Severity.LOW


def test_severity_is_the_only_thing_that_changes(untouched: Mapping[str, Rule]) -> None:
    rules = rules_with("- {id: joined, reason: it matters here, severity: critical}")
    assert rules["joined"].severity is Severity.CRITICAL
    assert rules["joined"].condition == untouched["joined"].condition
    assert list(rules) == ["simple", "newest", "joined"]


def test_a_threshold_is_replaced_whole() -> None:
    rules = rules_with("- {id: simple, reason: noisy, threshold: {below: 2 * beta}}")
    condition = condition_of(rules["simple"])
    assert condition.threshold.comparison is Comparison.BELOW
    assert [bound.text for bound in condition.threshold.bounds] == ["2 * beta"]
    assert condition.threshold.reference is None
    assert condition.threshold.reference_at_least is None
    assert condition.statistic.name == "mean"
    assert condition.statistic.window == Window(20, 20)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("50", Window(50, 50)),
        ("{fraction: 0.1, at_least: 5, at_most: 50}", Window(5, 50, 0.1)),
    ],
)
def test_a_window_changes_under_the_same_threshold(
    untouched: Mapping[str, Rule], window: str, expected: Window
) -> None:
    rules = rules_with(f"- {{id: simple, reason: long run, window: {window}}}")
    condition = condition_of(rules["simple"])
    assert condition.statistic.window == expected
    assert condition.statistic.name == "mean"
    assert condition.threshold == condition_of(untouched["simple"]).threshold


def test_one_override_may_change_several_things() -> None:
    rules = rules_with("- {id: simple, reason: r, severity: low, window: 7, threshold: {above: 9}}")
    condition = condition_of(rules["simple"])
    assert rules["simple"].severity is Severity.LOW
    assert condition.statistic.window == Window(7, 7)
    assert condition.threshold.bounds[0].evaluate({}) == 9.0


def test_the_later_override_wins() -> None:
    rules = rules_with(
        "- {id: simple, reason: r, severity: low}\n- {id: simple, reason: s, severity: medium}"
    )
    assert rules["simple"].severity is Severity.MEDIUM


def test_a_shipped_rule_is_changed_without_a_copy() -> None:
    text = b"""\
version: 1
extends: [pack:default]
overrides:
  - {id: loss_spike, reason: our data is sorted by length, disable: true}
"""
    shipped = {
        rule.id for rule in load_bundle([Source("a", b"version: 1\nextends: [pack:default]")]).rules
    }
    changed = {rule.id for rule in load_bundle([Source("my.yaml", text)]).rules}
    assert shipped - changed == {"loss_spike"}
    assert changed < shipped


SHIPPED_HINT = " (shipped rules are known after extends: [pack:default])"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "{id: simpel, reason: r, disable: true}",
            "3:10: rule 'simpel': no rule 'simpel'; did you mean 'simple'?" + SHIPPED_HINT,
        ),
        (
            "{id: simple, reason: r}",
            "3:5: rule 'simple': changes nothing; give one of disable, severity, "
            "threshold, window, for",
        ),
        (
            "{id: simple, reason: r, disable: true, severity: low}",
            "3:5: rule 'simple': 'disable: true' leaves nothing else to change",
        ),
        (
            "{id: joined, reason: r, threshold: {above: 2}}",
            "3:10: rule 'joined': has several conditions, so a threshold or window is ambiguous; "
            "none has a label to name it by, so write your own instead",
        ),
        (
            "{id: newest, reason: r, window: 5}",
            "3:10: rule 'newest': looks at 'last' and has no window to change",
        ),
        (
            "{id: simple, reason: r, threshold: {non_finite: true}}",
            "3:10: rule 'simple': compares the mean of a window, which is never non_finite",
        ),
        (
            "{id: simple, severity: low}",
            "3:5: rule 'simple': key 'reason' is missing: Why, for whoever reads it next year.",
        ),
        (
            "{id: simple, reason: '', severity: low}",
            "3:26: rule 'simple': 'reason': '' should be non-empty",
        ),
        (
            "{id: simple, reason: r, severity: hgh}",
            "3:39: rule 'simple': 'severity' cannot be 'hgh'; did you mean 'high'?",
        ),
        (
            "{id: simple, reason: r, threshold: {above: 1, below: 0}}",
            "3:40: rule 'simple': needs exactly one of above, below, between, outside, equals, "
            "non_finite, missing; not above and below together",
        ),
        (
            "{id: simple, reason: r, window: {fraction: 0.1, at_least: 9, at_most: 5}}",
            "3:37: rule 'simple': 'at_least' must not be above 'at_most'",
        ),
    ],
)
def test_an_override_that_does_not_fit(override: str, problem: str) -> None:
    with pytest.raises(InvalidRulesError) as raised:
        load(f"- {override}")
    assert str(raised.value) == f"my.yaml:{problem}"


def test_the_hint_at_the_default_pack_goes_once_it_is_extended(
    problems_in: Callable[[str], list[str]],
) -> None:
    text = """\
version: 1
extends: [pack:default]
overrides:
  - {id: loss_spik, reason: r, disable: true}
"""
    assert problems_in(text) == [
        "my.yaml:4:10: rule 'loss_spik': no rule 'loss_spik'; did you mean 'loss_spike'?"
    ]
