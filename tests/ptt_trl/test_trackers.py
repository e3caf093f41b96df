"""Insights go where the run's metrics already go: into real trackers, here offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import InsightFolded
from post_training_toolkit.engine.readers.record_blocks import wandb_records
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.ptt_trl.trackers.tracker import TrackerSink
from tests.ptt_trl.loss_spike_events import CLOSED, ESCALATED, FIRED

BROKEN = {"learning_rate": 2e-8, "max_steps": 40}


def stopped_run(run_dpo: Any, output_dir: Path, tracker: str) -> dict[str, Any]:
    """Run until dpo_loss_random stops it, and return the final metadata."""
    callback = DiagnosticsCallback(stop_on="high")
    run_dpo(output_dir, callback, report_to=[tracker], run_name="a-run", **BROKEN)
    final: dict[str, Any] = json.loads((output_dir / "ptt" / "run_metadata_final.json").read_text())
    assert final["failures"] == []
    assert final["stop"]["rule"] == "dpo_loss_random"
    return final


class RunsOutOfMemory(TrainerCallback):
    """Ends a training as accelerators do."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise after step 3."""
        if state.global_step == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.fixture(name="wandb_offline")
def _wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield tmp_path / "wandb"
    import wandb

    wandb.teardown()


def test_tensorboard_shows_text_and_curves_beside_the_trainers(
    run_dpo: Any, tmp_path: Path
) -> None:
    final = stopped_run(run_dpo, tmp_path, "tensorboard")
    [folder] = {path.parent for path in tmp_path.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()
    # In one folder with the trainer's own curves.
    assert "train/loss" in tags["scalars"]
    fired = final["stop"]["fired_at_step"]
    held = [(each.step, each.value) for each in events.Scalars("ptt/holding_high")]
    assert held[0] == (fired, 1.0)
    assert held[-1][1] == 0.0
    [text] = events.Tensors("ptt/dpo_loss_random/text_summary")
    shown = text.tensor_proto.string_val[0].decode()
    assert text.step == fired
    assert "DPO loss is stuck where it started" in shown
    assert "do: Raise learning_rate" in shown
    [summary] = events.Tensors("ptt/summary/text_summary")
    assert "| stopped_by | dpo_loss_random |" in summary.tensor_proto.string_val[0].decode()


def test_a_consequence_is_neither_sent_nor_counted(tmp_path: Path) -> None:
    from post_training_toolkit.ptt_trl.trackers.tensorboard_events import TensorBoardEvents

    sink = TrackerSink(lambda _: TensorBoardEvents(SummaryWriter(tmp_path)), None)
    sink.begin(RunStart("dpo", tmp_path))
    sink.show(FIRED)
    sink.show(replace(FIRED, insight="reward#1", rule="reward", caused_by=FIRED.insight))
    sink.show(ESCALATED)
    folded = replace(FIRED, insight="margin#1", rule="margin", step=34)
    sink.show(folded)
    sink.show(InsightFolded(folded.insight, folded.rule, 35, FIRED.insight))
    sink.show(CLOSED)
    sink.end(RunEnding("completed", 40, (), None, None))
    events = EventAccumulator(str(tmp_path))
    events.Reload()

    def held(severity: str) -> list[tuple[int, float]]:
        return [(each.step, each.value) for each in events.Scalars(f"ptt/holding_{severity}")]

    assert held("medium") == [(31, 1), (33, 0), (34, 1), (35, 0), (36, 0)]
    assert held("high") == [(31, 0), (33, 1), (34, 1), (35, 1), (36, 0)]
    texts = {name for name in events.Tags()["tensors"] if name.endswith("text_summary")}
    told = {"loss_spike", "margin", "summary"}
    assert texts == {f"ptt/{name}/text_summary" for name in told}


def test_wandb_gets_an_alert_and_a_summary(
    run_dpo: Any, tmp_path: Path, wandb_offline: Path
) -> None:
    import wandb
    from wandb.proto import wandb_internal_pb2

    record_class: Any = getattr(wandb_internal_pb2, "Record")  # noqa: B009 - made at run time
    final = stopped_run(run_dpo, tmp_path / "run", "wandb")
    assert wandb.run is not None
    summary = dict(wandb.run.summary)
    assert summary["ptt/status"] == "stopped"
    assert summary["ptt/stopped_by"] == "dpo_loss_random"
    assert summary["ptt/insights_high"] == 1
    assert summary["ptt/holding_high"] == 0
    assert Path(summary["ptt/report"]).exists()
    wandb.finish()
    [file] = wandb_offline.rglob("*.wandb")
    # A run that dies is closed; tested here, since W&B cannot begin once it was taken down.
    with pytest.raises(torch.OutOfMemoryError):
        run_dpo(tmp_path / "died", DiagnosticsCallback(), RunsOutOfMemory(), report_to="wandb")
    assert wandb.run is None
    # The end of W&B's own process: the file may be written only after finish() has returned.
    wandb.teardown()
    records = [record_class.FromString(data) for _, data in wandb_records(file)]
    alerts = [record.alert for record in records if record.HasField("alert")]
    [alert] = alerts
    assert alert.level == "ERROR"
    fired = final["stop"]["fired_at_step"]
    assert alert.title == f"HIGH at step {fired}: dpo_loss_random"
    assert "DPO loss is stuck where it started" in alert.text


def test_trackio_gets_an_alert(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trackio.sqlite_storage

    monkeypatch.setattr(trackio.sqlite_storage, "TRACKIO_DIR", tmp_path / "trackio")
    final = stopped_run(run_dpo, tmp_path / "run", "trackio")
    storage = trackio.sqlite_storage.SQLiteStorage
    [alert] = storage.get_alerts("huggingface", run_name="a-run")
    assert alert["level"] == "error"
    fired = final["stop"]["fired_at_step"]
    assert alert["title"] == f"HIGH at step {fired}: dpo_loss_random"
    assert "DPO loss is stuck where it started" in alert["text"]


def test_mlflow_gets_tags_and_metrics(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "alignment")
    final = stopped_run(run_dpo, tmp_path / "run", "mlflow")
    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("alignment")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["ptt.status"] == "stopped"
    assert run.data.tags["ptt.stopped_by"] == "dpo_loss_random"
    assert "DPO loss is stuck" in run.data.tags["ptt.insight.dpo_loss_random"]
    history = client.get_metric_history(run.info.run_id, "ptt.holding_high")
    assert [each.value for each in history] == [1.0, 0.0]
    assert history[0].step == final["stop"]["fired_at_step"]


def test_mlflow_has_a_run_that_died_as_failed(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "alignment")
    with pytest.raises(torch.OutOfMemoryError):
        run_dpo(tmp_path, DiagnosticsCallback(), RunsOutOfMemory(), report_to="mlflow")
    # Else the next training in this process would go on in it.
    assert mlflow.active_run() is None
    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("alignment")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.tags["ptt.status"] == "crashed"
    assert "OutOfMemoryError" in run.data.tags["ptt.error"]
    assert Path(run.data.tags["ptt.postmortem"]).exists()


def test_trackio_is_closed_when_a_run_dies(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trackio.sqlite_storage
    from trackio.context_vars import current_run

    monkeypatch.setattr(trackio.sqlite_storage, "TRACKIO_DIR", tmp_path / "trackio")
    with pytest.raises(torch.OutOfMemoryError):
        run_dpo(tmp_path, DiagnosticsCallback(), RunsOutOfMemory(), report_to="trackio")
    assert current_run.get() is None


def test_a_tracker_without_a_run_costs_its_alerts_and_is_told(run_dpo: Any, tmp_path: Path) -> None:
    class ReportsElsewhere(DiagnosticsCallback):
        """As when transformers' own callback was taken off."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            args.report_to = ["mlflow"]
            super().on_train_begin(args, state, control, **kwargs)

    run_dpo(tmp_path, ReportsElsewhere(stop_on="high"), **BROKEN)
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    [failure] = final["failures"]
    assert failure["part"] == "mlflow"
    assert "no active run" in failure["error"]
    assert final["status"] == "stopped"


SCRIPT = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from trl import DPOConfig, DPOTrainer
from post_training_toolkit import DiagnosticsCallback
tokenizer = build_tokenizer()
DPOTrainer(
    model=build_model(tokenizer, seed=0), ref_model=build_model(tokenizer, seed=0),
    args=DPOConfig(output_dir=sys.argv[1], max_steps=2, logging_steps=1, report_to="none",
                   use_cpu=True, bf16=False, save_strategy="no"),
    train_dataset=preference_dataset(32, seed=1), processing_class=tokenizer,
    callbacks=[DiagnosticsCallback()],
).train()
# TRL itself imports wandb where it is installed.
ours = "post_training_toolkit.ptt_trl.trackers."
theirs = {"trackio", "mlflow", "tensorboard"}
found = [name for name in sys.modules if name in theirs or name.startswith(ours)]
print("imported:", [name.removeprefix(ours) for name in sorted(found)])
"""


def test_no_tracker_is_imported_that_is_not_in_use(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root / "demo" / "scripts")},
    )
    assert "imported: ['choice', 'tracker']" in done.stdout
