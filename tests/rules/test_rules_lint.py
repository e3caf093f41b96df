"""Lint: where findings point, metrics nobody logs, old ids, and changed shipped rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import CODES, lint_bundle
from post_training_toolkit.rules.lint.checks import CHECKS, RENAMED_ID
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.sources import default_sources


def _findings(text: str) -> list[str]:
    """Lint one file beside the shipped packs; each finding as its author reads it."""
    bundle = load_bundle([*default_sources(), Source("my.yaml", text.encode())])
    return [f"{finding} [{finding.code}]" for finding in lint_bundle(bundle, ["my.yaml"])]


RuleFile = Callable[[str], str]


@pytest.mark.parametrize(
    ("part", "findings"),
    [
        (
            "trainers: [dpo]\nmetric: win_rat\nthreshold: {above: 0.9}",
            ["5:13: rule 'a': no dpo run logs a metric 'win_rat'; did you mean 'win_rate'?"],
        ),
        (
            "trainers: [dpo]\nmetric: rewards/accuracy\nthreshold: {above: 0.9}",
            [
                "5:13: rule 'a': no dpo run logs a metric 'rewards/accuracy'; "
                "did you mean 'rewards/accuracies'?",
            ],
        ),
        (
            "trainers: [sft]\nmetric: my_own\nthreshold: {above: 1}",
            ["5:13: rule 'a': no sft run logs a metric 'my_own'"],
        ),
        (
            "trainers: [sft, dpo]\n"
            "all:\n"
            "  - {metric: loss, threshold: {above: 1}}\n"
            "  - not: {metric: perplexty, threshold: {above: 1}}\n"
            "  - any: [{metric: qqq, threshold: {above: 1}}]",
            [
                "7:23: rule 'a': no dpo or sft run logs a metric 'perplexty'; "
                "did you mean 'perplexity'?",
                "8:24: rule 'a': no dpo or sft run logs a metric 'qqq'",
            ],
        ),
        (
            "trainers: [dpo]\n"
            "metric: loss\n"
            "statistic: {name: correlation, with: qqq}\n"
            "window: 10\n"
            "threshold: {above: 0.5}",
            ["6:42: rule 'a': no dpo run logs a metric 'qqq'"],
        ),
        (
            "trainers: [dpo]\n"
            "metric: loss\n"
            "threshold:\n"
            "  above: 2\n"
            "  relative_to: {metric: qqq, statistic: mean, window: 5}",
            ["8:29: rule 'a': no dpo run logs a metric 'qqq'"],
        ),
        (
            "trainers: [dpo]\n"
            "metric: loss\n"
            "threshold: {above: 2}\n"
            "escalation: {severity: critical, metric: qqq, threshold: {above: 4}}",
            ["7:46: rule 'a': no dpo run logs a metric 'qqq'"],
        ),
        (
            'trainers: [dpo]\nmetric: "reward/*/std"\nthreshold: {above: 1}',
            ["5:13: rule 'a': no dpo run logs a metric 'reward/*/std'"],
        ),
    ],
)
def test_a_metric_that_is_never_logged_is_a_finding_at_its_name(
    rule_file: RuleFile, part: str, findings: list[str]
) -> None:
    expected = [f"my.yaml:{finding} [dead-rule]" for finding in findings]
    found = _findings(rule_file(part))
    # A guess may follow where the catalogue happens to have a close name.
    assert len(found) == len(expected)
    for each, start in zip(found, expected, strict=True):
        assert each.startswith(start.removesuffix(" [dead-rule]"))
        assert each.endswith("[dead-rule]")


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
        "'rewards/*'",
        "'logps/*osen'",
    ],
)
def test_raw_canonical_derived_and_evaluation_metrics_and_globs_of_them_are_known(
    rule_file: RuleFile, metric: str
) -> None:
    part = f"trainers: [dpo]\nmetric: {metric}\nthreshold: {{above: 0.5}}"
    assert _findings(rule_file(part)) == []


def test_a_star_stands_for_no_slash(rule_file: RuleFile) -> None:
    part = "trainers: [dpo]\nmetric: 're*cies'\nthreshold: {above: 0.5}"
    [finding] = _findings(rule_file(part))
    assert "no dpo run logs a metric 're*cies'" in finding


def test_one_trainer_that_logs_it_is_enough(rule_file: RuleFile) -> None:
    part = "trainers: [sft, dpo]\nmetric: win_rate\nthreshold: {above: 0.5}"
    assert _findings(rule_file(part)) == []


def test_a_metric_is_told_once_in_a_rule(rule_file: RuleFile) -> None:
    part = "trainers: [dpo]\nany:\n" + "  - {metric: qqq, threshold: {above: 1}}\n" * 2
    assert len(_findings(rule_file(part))) == 1


def test_findings_of_several_rules_come_from_top_to_bottom(rule_file: RuleFile) -> None:
    text = rule_file("trainers: [dpo]\nmetric: qqq\nthreshold: {above: 1}")
    second = rule_file("trainers: [dpo]\nmetric: zzz\nthreshold: {above: 1}")
    text += "\n" + second.partition("rules:\n")[2].replace("id: a\n", "id: b\n")
    assert [finding.partition(": no")[0] for finding in _findings(text)] == [
        "my.yaml:5:13: rule 'a'",
        "my.yaml:16:13: rule 'b'",
    ]


def test_files_that_were_not_asked_for_are_only_compared_with(rule_file: RuleFile) -> None:
    text = rule_file("trainers: [dpo]\nmetric: qqq\nthreshold: {above: 1}")
    bundle = load_bundle([Source("my.yaml", text.encode())])
    assert lint_bundle(bundle, ["other.yaml"]) == []


def test_an_old_id_in_an_override_is_a_finding_that_names_the_new_one(rule_file: RuleFile) -> None:
    text = rule_file("renamed_from: [was_a]\nmetric: loss\nthreshold: {above: 9}")
    base = Source("base.yaml", text.encode())
    changed = "version: 1\noverrides:\n  - {id: was_a, severity: low, reason: ours}\n"
    bundle = load_bundle([base, Source("my.yaml", changed.encode())])
    [finding] = lint_bundle(bundle, ["base.yaml", "my.yaml"])
    assert finding.code == RENAMED_ID
    assert str(finding) == "my.yaml:3:10: rule 'a': 'was_a' is called 'a' now; write that"


@pytest.mark.parametrize(
    ("override", "findings"),
    [
        (
            "{id: win_rate_plateau, threshold: {between: [45, 55]}, reason: percent}",
            [
                "my.yaml:3:49: rule 'win_rate_plateau': 'between 45 and 55' can never hold: "
                "the mean of win_rate is between 0 and 1 [threshold-never]"
            ],
        ),
        ("{id: win_rate_plateau, threshold: {between: [0.45, 0.55]}, reason: ours}", []),
        ("{id: win_rate_plateau, severity: high, reason: ours}", []),
        (
            "{id: margin_collapse, label: win_rate, threshold: {below: 60}, reason: percent}",
            [
                "my.yaml:3:63: rule 'margin_collapse': 'below 60' always holds: "
                "the mean of win_rate is between 0 and 1 [threshold-always]"
            ],
        ),
    ],
)
def test_the_threshold_that_an_override_gives_is_judged_where_it_stands(
    override: str, findings: list[str]
) -> None:
    assert _findings(f"version: 1\noverrides:\n  - {override}\n") == findings


def test_an_override_does_not_answer_for_conditions_that_it_leaves_alone(
    rule_file: RuleFile,
) -> None:
    part = (
        "trainers: [dpo]\nall:\n"
        "  - {metric: win_rate, threshold: {above: 60}, label: rate}\n"
        "  - {metric: loss, threshold: {above: 2}, label: level}"
    )
    base = Source("base.yaml", rule_file(part).encode())
    change = "{id: a, label: level, threshold: {above: 3}, reason: ours}"
    own = Source("my.yaml", f"version: 1\noverrides:\n  - {change}\n".encode())
    bundle = load_bundle([base, own])
    assert [finding.code for finding in lint_bundle(bundle, ["base.yaml"])] == ["threshold-never"]
    assert lint_bundle(bundle, ["my.yaml"]) == []


def test_every_code_has_a_meaning() -> None:
    assert set(CODES) == {*CHECKS, RENAMED_ID}
    assert all(meaning.endswith(".") for meaning in CODES.values())


def test_the_shipped_packs_are_clean() -> None:
    bundle = load_bundle(default_sources())
    names = [source.name for source in bundle.sources]
    assert [str(finding) for finding in lint_bundle(bundle, names)] == []
