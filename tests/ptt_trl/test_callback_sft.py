"""The same callback watches supervised fine-tuning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.replay import replay_run_directory


class NanGradient(TrainerCallback):
    """Makes the gradient of one step NaN, after the loss was computed."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Poison one gradient."""
        if state.global_step == self.step - 1:
            for parameter in kwargs["model"].parameters():
                parameter.grad[:] = float("nan")


@pytest.fixture(scope="module", name="output_dir")
def _output_dir(run_sft: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SFT run whose weights turn NaN at step 20, with an evaluation every ten steps."""
    output_dir = tmp_path_factory.mktemp("sft")
    run_sft(
        output_dir, DiagnosticsCallback(), NanGradient(20), eval_strategy="steps", eval_steps=10
    )
    return output_dir


def test_the_trainer_is_recognised(output_dir: Path) -> None:
    start = json.loads((output_dir / "ptt" / "run_metadata_start.json").read_text())
    assert start["trainer"] == "sft"


def test_nan_that_the_trainer_hides_is_critical(output_dir: Path) -> None:
    events = list(read_insights(output_dir / "ptt" / "insights.jsonl"))
    [fired] = [event for event in events if isinstance(event, InsightFired)]
    assert (fired.rule, fired.severity) == ("nan_hidden_by_filter", "critical")
    # The norm of step 20 was taken before the gradient was poisoned.
    assert fired.step == 21
    losses = {
        entry.step: entry.row.values["loss"]
        for entry in read_metrics(output_dir / "ptt" / "metrics.jsonl")
        if isinstance(entry, LoggedRow) and "loss" in entry.row.values
    }
    # What a user who watches the loss alone would see: a perfectly finite 0.
    assert [losses[step] for step in (21, 22, 30)] == [0.0, 0.0, 0.0]


def test_evaluation_rows_are_kept(output_dir: Path) -> None:
    steps = [
        entry.step
        for entry in read_metrics(output_dir / "ptt" / "metrics.jsonl")
        if isinstance(entry, LoggedRow) and "eval_runtime" in entry.row.values
    ]
    assert steps == [10, 20, 30]


def test_replay_agrees_with_nan_in_the_metrics(output_dir: Path) -> None:
    replayed = b"".join(insight_line(event) for event in replay_run_directory(output_dir / "ptt"))
    assert replayed == (output_dir / "ptt" / "insights.jsonl").read_bytes()


def test_a_healthy_run_is_left_alone(run_sft: Any, tmp_path: Path) -> None:
    run_sft(tmp_path, DiagnosticsCallback(), max_steps=60, learning_rate=1e-3)
    assert (tmp_path / "ptt" / "insights.jsonl").read_bytes() == b""
