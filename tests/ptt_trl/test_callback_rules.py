"""Users bring their own rules, and change shipped ones, by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.rules.problem import InvalidRulesError

OWN_RULE = """
version: 1
rules:
  - id: short_answers
    title: Entropy is there
    trainers: [dpo]
    metric: entropy
    statistic: mean
    window: 5
    threshold: {above: 0}
    severity: low
    detects: [entropy_explosion]
    message: "Entropy averages {value:.2f}"
    remediation: [Nothing to do.]
    citation: []
    threshold_origin: empirical
"""
OVERRIDE = """
version: 1
extends: [pack:default]
overrides:
  - {id: dpo_loss_random, severity: medium, reason: our runs start slowly}
"""
BROKEN = {"learning_rate": 2e-8, "max_steps": 30}


def _fired(output_dir: Path) -> list[tuple[str, str]]:
    events = read_insights(output_dir / "ptt" / "insights.jsonl")
    return [(event.rule, event.severity) for event in events if isinstance(event, InsightFired)]


def test_own_rules_join_the_shipped_ones(run_dpo: Any, tmp_path: Path) -> None:
    rules = tmp_path / "ours.yaml"
    rules.write_text(OWN_RULE)
    run_dpo(tmp_path, DiagnosticsCallback(rules=[rules]), **BROKEN)
    assert _fired(tmp_path) == [("short_answers", "low"), ("dpo_loss_random", "high")]


def test_an_override_changes_a_shipped_rule_and_replays_the_same(
    run_dpo: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "ours.yaml").write_text(OVERRIDE)
    run_dpo(tmp_path, DiagnosticsCallback(rules=folder), **BROKEN)
    assert _fired(tmp_path) == [("dpo_loss_random", "medium")]
    # The run directory keeps the rules, so that the replay needs nothing of the user's folder.
    (folder / "ours.yaml").unlink()
    run_dir = tmp_path / "ptt"
    replayed = b"".join(insight_line(event) for event in replay_run_directory(run_dir))
    assert replayed == (run_dir / "insights.jsonl").read_bytes()


def test_mistakes_in_rules_are_told_before_training(tmp_path: Path) -> None:
    rules = tmp_path / "ours.yaml"
    rules.write_text(OWN_RULE.replace("above: 0", "abov: 0").replace("low", "lwo"))
    with pytest.raises(InvalidRulesError) as caught:
        DiagnosticsCallback(rules=str(rules))
    assert str(caught.value).splitlines() == [
        f"{rules}:10:17: rule 'short_answers': unknown key 'abov'; did you mean 'above'?",
        f"{rules}:11:15: rule 'short_answers': 'severity' cannot be 'lwo'; did you mean 'low'?",
    ]


def test_a_path_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        DiagnosticsCallback(rules=tmp_path / "nothing.yaml")
