"""Whatever happens to a run's folder, nothing that was written is lost and training goes on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from staged_runs import Stage
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.ptt_trl import run_directory
from post_training_toolkit.ptt_trl.postmortem.heartbeat import Heartbeat

STEPS = 20


class AtSteps(TrainerCallback):
    """Does something to the folder of the run after certain steps."""

    def __init__(self, acts: dict[int, Callable[[], object]]) -> None:
        self._acts = acts

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Act."""
        if state.global_step in self._acts:
            self._acts[state.global_step]()


def train(
    output_dir: Path,
    run_dir: Path,
    acts: dict[int, Callable[[], object]],
    resume_from: Path | None = None,
) -> None:
    """Train a tiny model that learns nothing."""
    tokenizer = build_tokenizer()
    trainer = DPOTrainer(
        model=build_model(tokenizer, seed=0),
        ref_model=build_model(tokenizer, seed=0),
        args=DPOConfig(
            output_dir=str(output_dir),
            per_device_train_batch_size=4,
            learning_rate=2e-8,
            max_steps=STEPS,
            logging_steps=1,
            save_steps=10,
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=preference_dataset(64, seed=1),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback(run_dir=run_dir), AtSteps(acts)],
    )
    trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    assert trainer.state.global_step == STEPS


def logged_steps(run_dir: Path) -> list[int]:
    """Return the steps of the trainer's rows."""
    lines = map(json.loads, (run_dir / "metrics.jsonl").read_text().splitlines())
    return [line["step"] for line in lines if "loss" in line.get("logs", {})]


def told(run_dir: Path) -> dict[str, str]:
    """Return what failed inside, which the report tells, too."""
    failures = json.loads((run_dir / "run_metadata_final.json").read_text())["failures"]
    report = (run_dir / "reports" / "run_report.md").read_text()
    for failure in failures:
        assert failure["part"] in report
    return {failure["part"]: failure["error"] for failure in failures}


def assert_insights_follow_from_metrics(run_dir: Path) -> None:
    lines = b"".join(map(insight_line, replay_run_directory(run_dir)))
    assert (run_dir / "insights.jsonl").read_bytes() == lines
    assert b"dpo_loss_random" in lines


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that takes 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_for_a_while_costs_no_line(small_disk: Path, tmp_path: Path) -> None:
    filler = small_disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 1024)
                except OSError:
                    return

    run_dir = small_disk / "ptt"
    train(tmp_path / "run", run_dir, {5: fill, 12: filler.unlink})
    assert logged_steps(run_dir) == list(range(1, STEPS + 1))
    assert_insights_follow_from_metrics(run_dir)
    assert re.search("No space left|bytes could be written", told(run_dir)["metrics file"])


def test_a_disk_that_stays_full_keeps_what_it_has(small_disk: Path, tmp_path: Path) -> None:
    def fill() -> None:
        with (small_disk / "filler").open("wb", buffering=0) as file:
            while file.write(b"x" * 1024) == 1024:
                pass

    def fill_contained() -> None:
        with pytest.raises(OSError, match="No space left"):
            fill()

    run_dir = small_disk / "ptt"
    train(tmp_path / "run", run_dir, {8: fill_contained})
    steps = logged_steps(run_dir)
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 7


def test_a_folder_that_is_removed_is_made_anew(tmp_path: Path) -> None:
    run_dir = tmp_path / "run" / "ptt"
    train(tmp_path / "run", run_dir, {5: lambda: shutil.rmtree(run_dir)})
    assert logged_steps(run_dir) == list(range(5, STEPS + 1))
    assert "was removed and is made anew" in told(run_dir)["metrics file"]
    start = json.loads((run_dir / "run_metadata_start.json").read_text())
    assert start["trainer"] == "dpo"


def test_a_file_that_may_no_longer_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    run_dir = tmp_path / "run" / "ptt"
    metrics = run_dir / "metrics.jsonl"

    def protect() -> None:
        # Not even root may change what is immutable.
        if subprocess.run(["chattr", "+i", str(metrics)], check=False).returncode:
            pytest.skip("this file system has no immutable files")

    def release() -> None:
        subprocess.run(["chattr", "-i", str(metrics)], check=True)

    train(tmp_path / "run", run_dir, {5: protect, 12: release})
    assert logged_steps(run_dir) == list(range(1, STEPS + 1))
    assert_insights_follow_from_metrics(run_dir)
    assert "PermissionError" in told(run_dir)["metrics file"]


def test_a_resume_leaves_a_run_alone_that_is_still_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run" / "ptt"
    train(tmp_path / "run", run_dir, {})
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    monkeypatch.setattr(run_directory, "WAIT_SECONDS", 0.2)
    alive = Heartbeat(run_dir)
    try:
        train(tmp_path / "run", run_dir, {}, resume_from=tmp_path / "run" / "checkpoint-10")
    finally:
        alive.remove()
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
    other = run_dir.with_name("ptt-2")
    assert logged_steps(other) == list(range(11, STEPS + 1))
    assert "another process that is alive writes to" in told(other)["resume"]


def test_a_resume_waits_for_the_report_of_the_run_that_was_killed(
    stage: Stage, tmp_path: Path
) -> None:
    run = stage.run("SIGKILL", tmp_path / "run")
    train(run.output_dir, run.run_dir, {}, resume_from=run.output_dir / "checkpoint-4")
    assert not run.run_dir.with_name("ptt-2").exists()
    assert (run.run_dir / "postmortem.before-resume-1.json").exists()
    assert_insights_follow_from_metrics(run.run_dir)
    assert json.loads((run.run_dir / "run_metadata_final.1.json").read_text())["failures"] == []
