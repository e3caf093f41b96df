"""On labelled real runs the shipped rules find what they are for and leave healthy runs alone.

The runs stay outside the repository; the environment variable PTT_ZOO says where.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFired
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.sources import default_sources

_FOLDER = os.environ.get("PTT_ZOO", "")
RUNS = sorted(path.parent for path in Path(_FOLDER).glob("*/run.yaml")) if _FOLDER else []
if not RUNS:
    reason = f"PTT_ZOO={_FOLDER!r} is no folder of labelled runs"
    pytest.skip(reason, allow_module_level=True)

# What the trainers take where a run does not say; examples_per_log and gates need it.
DEFAULTS = {"gradient_accumulation_steps": 1, "world_size": 1, "logging_steps": 1, "fp16": False}

# Runs with an induced fault and the rule that is for it.
FOUND = {
    "dpo-label-flip": "margin_collapse",
    "dpo-label-noise": "dpo_loss_random",
    "dpo-lr-high": "policy_drift",
    "dpo-lr-jump": "loss_divergence",
    "dpo-lr-tiny": "dpo_loss_random",
    "dpo-memorise": "eval_loss_rises",
    "dpo-nan-filtered": "nan_hidden_by_filter",
    "dpo-same-pairs": "dpo_loss_random",
    "grpo-constant-reward": "reward_no_signal",
    "grpo-entropy-collapse": "entropy_collapse",
    "grpo-kl": "kl_instability",
    "grpo-length": "length_explosion",
    "grpo-reward-nan": "rewards_missing",
    "grpo-reward-negated": "reward_falls",
    "kto-all-desirable": "kto_label_missing",
    "ppo-constant-reward": "scores_constant",
    "ppo-kl": "kl_instability",
    "ppo-lr-high": "kl_instability",
    "ppo-reward-scale": "reward_jump",
    "ppo-value-diverges": "value_head_divergence",
    "reward-overfit": "eval_loss_rises",
    "rloo-constant-reward": "reward_no_signal",
    "rloo-kl": "kl_instability",
    "rloo-lr-high": "completions_truncated",
    "sft-bad-batches": "loss_spike",
    "sft-nan-grad": "nan_hidden_by_filter",
    "sft-nan-log10": "nan_hidden_by_filter",
    "sft-overfit": "eval_loss_rises",
}


@dataclass(frozen=True)
class Labels:
    """What is known of a run: 0 stands for the onset of a fault from the start."""

    run: RunDescription
    healthy: bool
    onset_step: int
    fitting: frozenset[str]


@cache
def _labels(folder: Path) -> Labels:
    data: dict[str, Any] = yaml.safe_load((folder / "run.yaml").read_text())
    configuration = {**DEFAULTS, **data["hyperparameters"]}
    begin = json.loads((folder / "log.jsonl").read_text().partition("\n")[0])
    return Labels(
        RunDescription(
            data["trainer"], configuration, begin["max_steps"], configuration["logging_steps"]
        ),
        healthy=data["fault"] is None,
        onset_step=data["onset_step"] or 0,
        fitting=frozenset((*data["expected"], *data["acceptable"])),
    )


@cache
def _entries(folder: Path) -> tuple[MetricsEntry, ...]:
    """Read the lines as they come from the trainer, without the toolkit's reader."""
    entries: list[MetricsEntry] = []
    for line in (folder / "log.jsonl").read_text().splitlines():
        data = json.loads(line)
        if "event" in data:
            entries.append(Milestone(data["event"], data["step"], data.get("max_steps")))
        else:
            entries.append(LoggedRow(data["step"], data["epoch"], admit(data["logs"])))
    return tuple(entries)


def _engine(folder: Path, containment: Containment | None = None) -> Engine:
    return Engine(load_bundle(default_sources()).rules, _labels(folder).run, containment)


@cache
def _live(folder: Path) -> tuple[Event, ...]:
    containment = Containment()
    engine = _engine(folder, containment)
    events: list[Event] = []
    for entry in _entries(folder):
        if isinstance(entry, LoggedRow):
            events += engine.observe(entry.step, entry.row)
        elif entry.event == "train_end":
            events += engine.finish(entry.step)
        elif entry.event == "exception":
            events += engine.die(entry.step)
    assert containment.failures == {}
    return tuple(events)


def _alarms(folder: Path) -> list[InsightFired]:
    """Return what counts as an alarm: insights from medium up."""
    fired = [event for event in _live(folder) if isinstance(event, InsightFired)]
    return [event for event in fired if event.severity.rank >= Severity.MEDIUM.rank]


HEALTHY = [folder for folder in RUNS if _labels(folder).healthy]
FAULTY = [folder for folder in RUNS if not _labels(folder).healthy]


def test_the_zoo_is_whole() -> None:
    names = {folder.name for folder in RUNS}
    assert set(FOUND) <= names
    trainers = {"cpo", "dpo", "grpo", "kto", "orpo", "ppo", "reward", "rloo", "sft"}
    assert {_labels(folder).run.trainer for folder in HEALTHY} == trainers


@pytest.mark.parametrize("folder", HEALTHY, ids=lambda folder: folder.name)
def test_a_healthy_run_gives_no_alarm(folder: Path) -> None:
    assert [(event.rule, event.step) for event in _alarms(folder)] == []


@pytest.mark.parametrize(("name", "rule"), FOUND.items())
def test_a_fault_is_found_by_the_rule_that_is_for_it(name: str, rule: str) -> None:
    [folder] = [folder for folder in RUNS if folder.name == name]
    steps = [event.step for event in _alarms(folder) if event.rule == rule]
    assert steps
    assert steps[0] >= _labels(folder).onset_step


@pytest.mark.parametrize("folder", FAULTY, ids=lambda folder: folder.name)
def test_in_a_faulty_run_every_alarm_is_right_and_none_comes_before_the_fault(
    folder: Path,
) -> None:
    labels = _labels(folder)
    for event in _alarms(folder):
        assert labels.fitting & set(event.detects), event.rule
        assert event.step >= labels.onset_step, event.rule
        assert event.first_step >= labels.onset_step, event.rule


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_live_equals_replay_to_the_byte(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join(map(metrics_line, _entries(folder))))
    for metrics in (path, folder / "log.jsonl"):
        replayed = replay(read_metrics(metrics), _engine(folder))
        assert list(map(insight_line, replayed)) == list(map(insight_line, _live(folder)))
