"""Lint tells of valid rules that can never fire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_rule
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.sources import default_sources


@pytest.mark.parametrize(
    ("part", "findings"),
    [
        (
            "trainers: [dpo]\nmetric: win_rat\nthreshold: {above: 1}",
            ["no dpo run logs a metric 'win_rat'; did you mean 'win_rate'?"],
        ),
        (
            "trainers: [dpo]\nmetric: rewards/accuracy\nthreshold: {above: 1}",
            [
                "no dpo run logs a metric 'rewards/accuracy'; did you mean 'rewards/accuracies'?",
            ],
        ),
        (
            "trainers: [sft]\nmetric: my_own\nthreshold: {above: 1}",
            ["no sft run logs a metric 'my_own'"],
        ),
        (
            "trainers: [sft]\nmetric: logps/chosen\nthreshold: {above: 1}",
            ["no sft run logs a metric 'logps/chosen'"],
        ),
        (
            "trainers: [sft, dpo]\n"
            "all:\n"
            "  - {metric: loss, threshold: {above: 1}}\n"
            "  - not: {metric: perplexty, threshold: {above: 1}}\n"
            "  - any: [{metric: qqq, threshold: {above: 1}}]",
            [
                "no dpo or sft run logs a metric 'perplexty'; did you mean 'perplexity'?",
                "no dpo or sft run logs a metric 'qqq'",
            ],
        ),
    ],
)
def test_a_metric_that_is_never_logged_is_a_finding(
    load_rule: Callable[[str], Rule], part: str, findings: list[str]
) -> None:
    found = [str(finding) for finding in lint_rule(load_rule(part))]
    assert found == [f"my.yaml:3:5: rule 'a': {finding}" for finding in findings]


@pytest.mark.parametrize(
    "metric",
    [
        "rewards/accuracies",
        "win_rate",
        "eval_rewards/accuracies",
        "eval_win_rate",
        "reward_margin_nats",
        "eval_reward_margin_nats",
        "eval_loss",
        "eval_runtime",
        "train_loss",
    ],
)
def test_raw_canonical_derived_and_evaluation_metrics_are_known(
    load_rule: Callable[[str], Rule], metric: str
) -> None:
    rule = load_rule(f"trainers: [dpo]\nmetric: {metric}\nthreshold: {{above: 1}}")
    assert list(lint_rule(rule)) == []


def test_one_trainer_that_logs_it_is_enough(load_rule: Callable[[str], Rule]) -> None:
    rule = load_rule("trainers: [sft, dpo]\nmetric: win_rate\nthreshold: {above: 1}")
    assert list(lint_rule(rule)) == []


@pytest.mark.parametrize("trainers", ["[grpo]", "[dpo, grpo]"])
def test_a_trainer_without_a_catalogue_is_not_judged(
    load_rule: Callable[[str], Rule], trainers: str
) -> None:
    rule = load_rule(f"trainers: {trainers}\nmetric: nobody_logs_this\nthreshold: {{above: 1}}")
    assert list(lint_rule(rule)) == []


def test_the_shipped_packs_are_clean() -> None:
    rules = load_bundle(default_sources()).rules
    assert [str(finding) for rule in rules for finding in lint_rule(rule)] == []
