"""The stop switch: early, safe, and stated with its outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback

LATE_RULE = """
version: 1
rules:
  - id: late
    title: Fires at step 14
    after: {steps: 14}
    metric: loss
    threshold: {above: 0}
    severity: high
    detects: [loss_plateau]
    message: late
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
"""
BROKEN = {"learning_rate": 2e-8, "max_steps": 40}


class PoisonWeights(TrainerCallback):
    """Makes one weight NaN after a step, as a NaN gradient does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Poison the first parameter once."""
        if state.global_step == self.step:
            with torch.no_grad():
                next(kwargs["model"].parameters()).view(-1)[:] = float("nan")


def _final(output_dir: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads(
        (output_dir / "ptt" / "run_metadata_final.json").read_text()
    )
    return metadata


def test_stop_on_high_ends_the_broken_run_early_and_says_so(
    run_dpo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = DiagnosticsCallback(stop_on="high")
    trainer = run_dpo(tmp_path, callback, save_strategy="steps", save_steps=5, **BROKEN)

    stopped_at = trainer.state.global_step
    assert stopped_at < 20
    final = _final(tmp_path)
    assert final["status"] == "stopped"
    assert final["last_step"] == stopped_at
    assert final["stop"]["rule"] == "dpo_loss_random"
    assert final["stop"]["fired_at_step"] == stopped_at
    assert final["stop"]["weights_finite"] is True
    assert final["stop"]["saved_checkpoint"] == str(tmp_path / f"checkpoint-{stopped_at}")
    assert Path(final["stop"]["saved_checkpoint"], "model.safetensors").exists()
    # The trouble was there from the start: no checkpoint is from before it.
    assert final["stop"]["last_good_checkpoint"] is None

    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    assert "**Status:** Stopped" in report
    said = f"Stopped at step {stopped_at} because stop_on asked for it: rule dpo_loss_random (high)"
    assert said in report
    assert said in " ".join(capsys.readouterr().out.split()).replace("[ptt] ", "")


def test_no_switch_no_stop(run_dpo: Any, tmp_path: Path) -> None:
    trainer = run_dpo(tmp_path, DiagnosticsCallback(), **BROKEN)
    assert trainer.state.global_step == 40
    assert _final(tmp_path)["stop"] is None


def test_a_finding_below_the_asked_severity_does_not_stop(run_dpo: Any, tmp_path: Path) -> None:
    trainer = run_dpo(tmp_path, DiagnosticsCallback(stop_on="critical"), **BROKEN)
    assert trainer.state.global_step == 40


def test_weights_that_are_nan_are_not_saved_and_the_last_good_checkpoint_is_named(
    run_dpo: Any, tmp_path: Path
) -> None:
    trainer = run_dpo(
        tmp_path,
        PoisonWeights(step=12),
        DiagnosticsCallback(stop_on="critical"),
        save_strategy="steps",
        save_steps=5,
    )
    # The logged row of step 12 was already computed; step 13 is the first to show the NaN.
    assert trainer.state.global_step == 13
    stop = _final(tmp_path)["stop"]
    assert stop["rule"] == "nan_hidden_by_filter"
    assert stop["weights_finite"] is False
    assert stop["saved_checkpoint"] is None
    assert not (tmp_path / "checkpoint-13").exists()
    assert stop["last_good_checkpoint"] == str(tmp_path / "checkpoint-10")
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    assert "Nothing was saved, because the weights are no longer finite." in report
    assert "**[CRITICAL]** grad_norm is not finite at step 13" in report


def test_without_a_checkpoint_the_stop_says_that_there_is_none(
    run_dpo: Any, tmp_path: Path
) -> None:
    run_dpo(tmp_path, PoisonWeights(step=3), DiagnosticsCallback(stop_on="high"))
    assert _final(tmp_path)["stop"]["last_good_checkpoint"] is None
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    assert "There is no checkpoint from before the trouble." in report


def test_a_row_over_several_steps_does_not_vouch_for_a_checkpoint_within_it(
    run_dpo: Any, tmp_path: Path
) -> None:
    run_dpo(
        tmp_path,
        PoisonWeights(step=12),
        DiagnosticsCallback(stop_on="critical"),
        logging_steps=5,
        save_strategy="steps",
        save_steps=3,
    )
    # The row of step 15 covers steps 11 to 15, so checkpoint-12 may hold the NaN, and does.
    assert _final(tmp_path)["stop"]["fired_at_step"] == 15
    assert _final(tmp_path)["stop"]["last_good_checkpoint"] == str(tmp_path / "checkpoint-9")


def test_stop_on_names_of_rules_stops_at_these_alone(run_dpo: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(LATE_RULE)
    callback = DiagnosticsCallback(rules=own, stop_on=["late"])
    # dpo_loss_random fires long before, and is as severe.
    trainer = run_dpo(tmp_path, callback, **BROKEN)
    assert trainer.state.global_step == 14
    final = _final(tmp_path)
    assert final["stop"]["rule"] == "late"
    start = json.loads((tmp_path / "ptt" / "run_metadata_start.json").read_text())
    assert start["stop_on"] == ["late"]
    insights = (tmp_path / "ptt" / "insights.jsonl").read_text()
    assert "dpo_loss_random" in insights


@pytest.mark.parametrize(
    ("stop_on", "problem"),
    [
        ("dpo_loss_random", "stop_on takes ids of rules in a list"),
        (["dpo_loss_randm"], "did you mean 'dpo_loss_random'"),
        ([], "an empty list"),
    ],
)
def test_a_mistake_in_names_of_rules_is_told_before_training(stop_on: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DiagnosticsCallback(stop_on=stop_on)


def test_an_unknown_severity_is_refused_before_training() -> None:
    with pytest.raises(ValueError, match="stop_on cannot be 'hihg'; did you mean 'high'"):
        DiagnosticsCallback(stop_on="hihg")


def test_a_save_at_the_end_of_the_epoch_does_not_undo_a_stop_without_saving(
    run_dpo: Any, tmp_path: Path
) -> None:
    run_dpo(
        tmp_path,
        PoisonWeights(step=60),
        DiagnosticsCallback(stop_on="critical"),
        max_steps=-1,
        num_train_epochs=2,
        save_strategy="epoch",
        save_total_limit=1,
    )
    # 400 examples in batches of 8: the first epoch ends, soundly, at step 50.
    stop = _final(tmp_path)["stop"]
    assert stop["fired_at_step"] == 61
    assert stop["last_good_checkpoint"] == str(tmp_path / "checkpoint-50")
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-50"]


def test_the_state_at_the_stop_is_not_saved_over_the_last_good_checkpoint(
    run_dpo: Any, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(LATE_RULE)
    run_dpo(
        tmp_path,
        DiagnosticsCallback(stop_on="high", rules=rules),
        save_strategy="steps",
        save_steps=10,
        save_total_limit=1,
    )
    stop = _final(tmp_path)["stop"]
    assert (stop["rule"], stop["fired_at_step"]) == ("late", 14)
    assert stop["saved_checkpoint"] is None
    assert stop["last_good_checkpoint"] == str(tmp_path / "checkpoint-10")
    assert Path(stop["last_good_checkpoint"], "model.safetensors").exists()
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    assert "save_total_limit would have deleted the last good one" in report


def test_a_stop_asked_for_at_the_last_step_ends_nothing_early(run_dpo: Any, tmp_path: Path) -> None:
    run_dpo(tmp_path, PoisonWeights(step=9), DiagnosticsCallback(stop_on="high"), max_steps=10)
    final = _final(tmp_path)
    assert final["status"] == "completed"
    assert final["stop"]["fired_at_step"] == 10
