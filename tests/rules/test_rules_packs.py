"""What every shipped rule promises."""

from __future__ import annotations

import re

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.catalogue import rule_subjects
from post_training_toolkit.rules.condition import metric_conditions
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.profile import load_profile
from post_training_toolkit.rules.sources import pack_names, read_pack, shipped_sources

# Failure modes of the machine, which no recording shows.
MACHINE_MODES = {"memory_growth", "slow_down", "stall", "straggler"}
# What a run dies of; rules for the way of it detect a crash as well.
CRASH_MODES = {
    "communication",
    "configuration",
    "data_error",
    "disk_full",
    "environment",
    "out_of_memory",
    "preemption",
}
# Those in which labelled runs are scored.
FAILURE_MODES = {
    "clip_fraction_high",
    "crash",
    "dpo_loss_random",
    "entropy_collapse",
    "entropy_explosion",
    "eval_loss_rising",
    "gradient_explosion",
    "gradient_instability",
    "gradient_vanishing",
    "kl_explosion",
    "label_imbalance",
    "length_collapse",
    "length_explosion",
    "likelihood_displacement",
    "loss_divergence",
    "loss_plateau",
    "loss_spike",
    "margin_collapse",
    "nonfinite_values",
    "not_learning",
    "overfitting",
    "perplexity_spike",
    "policy_drift",
    "reward_collapse",
    "reward_hacking",
    "reward_jump",
    "reward_no_signal",
    "reward_plateau",
    "reward_variance_spike",
    "truncation_high",
    "value_divergence",
    "win_rate_drop",
    "win_rate_instability",
    "win_rate_plateau",
}

# What traces of agents show.
AGENT_MODES = {
    "abandoned_task",
    "agent_loop",
    "budget_runaway",
    "context_overflow",
    "label_quality",
    "length_bias",
    "malformed_call",
    "tool_error",
    "trace_quality",
}
# What only the text of replies shows.
BEHAVIOUR_MODES = {"diversity_collapse", "empty_outputs", "refusal_shift", "repetition"}

RULES = load_bundle(shipped_sources()).rules
every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])


@pytest.mark.parametrize("name", pack_names())
def test_each_pack_is_valid_by_itself_and_not_empty(name: str) -> None:
    """A pack may extend others, whose rules are the causes of its own."""
    rules = load_bundle([read_pack(name)]).rules
    assert f"pack:{name}" in {rule.source for rule in rules}


def test_ids_are_unique_over_all_packs() -> None:
    ids = [
        identifier
        for name in pack_names()
        for identifier in re.findall(rb"(?m)^  - id: (\S+)", read_pack(name).text)
    ]
    assert len(ids) == len(set(ids)) == len(RULES)


def test_the_rules_of_the_walkthrough_are_there() -> None:
    assert {
        "dpo_loss_random",
        "margin_collapse",
        "win_rate_instability",
        "policy_drift",
        "nan_hidden_by_filter",
    } <= {rule.id for rule in RULES}


@every_rule
def test_a_shipped_rule_says_what_why_and_what_to_do(rule: Rule) -> None:
    assert rule.title
    assert rule.description
    assert rule.remediation
    assert all(each[0].isupper() for each in rule.remediation), "a sentence that says what to do"
    assert rule.false_alarms, "no rule is never wrong"


@every_rule
def test_a_shipped_rule_cites_what_can_be_looked_up_or_says_it_is_empirical(rule: Rule) -> None:
    for citation in rule.citations:
        assert citation.arxiv or citation.doi or citation.url
    assert rule.citations or rule.threshold_origin == "empirical"


@every_rule
def test_a_shipped_rule_detects_known_failure_modes(rule: Rule) -> None:
    assert rule.detects
    training = FAILURE_MODES | MACHINE_MODES | CRASH_MODES | BEHAVIOUR_MODES
    assert set(rule.detects) <= (AGENT_MODES if "agents" in rule.gate.trainers else training)


@every_rule
def test_a_shipped_message_shows_where_it_happened_and_renders_with_everything_missing(
    rule: Rule,
) -> None:
    assert "{" in rule.message.text
    assert "n/a" in rule.message.render({})


@every_rule
def test_a_shipped_rule_is_for_trainers_that_exist(rule: Rule) -> None:
    assert rule.gate.trainers <= set(rule_subjects())


@every_rule
def test_a_shipped_threshold_uses_only_configuration_that_its_trainers_can_have(
    rule: Rule,
) -> None:
    """A mistyped name in an expression would leave the rule silent in every run."""
    with_known_start = {"dpo", "kto", "reward", "online_dpo"}
    known_start = rule.gate.trainers and rule.gate.trainers <= with_known_start
    derived = {"initial_loss"} if known_start else set[str]()
    # Arguments that every config class has, what follows from them, and the condition's own window.
    every = {
        *("max_grad_norm", "logging_steps", "examples_per_log", "window"),
        *("per_device_train_batch_size", "gradient_accumulation_steps"),
    }
    known = {"beta", *every, *derived}
    second = metric_conditions(rule.escalation.condition) if rule.escalation else ()
    for condition in (*metric_conditions(rule.condition), *second):
        counted = condition.statistic.holds
        for each in (condition.threshold, *([counted] if counted else [])):
            for expression in (*each.bounds, each.tolerance, each.reference_at_least):
                assert expression is None or expression.names <= known


def test_what_the_packs_compare_with_is_derived_for_an_ordinary_run() -> None:
    configuration = {
        "beta": 0.1,
        "loss_type": ["sigmoid"],
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "world_size": 1,
        "logging_steps": 10,
    }
    derived = load_profile("dpo").derive_configuration(configuration)
    assert derived.keys() == {"initial_loss", "examples_per_log"}
