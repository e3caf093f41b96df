"""One run gives the same insights, byte for byte, in whatever format it was kept."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.readers.choose import open_recording
from post_training_toolkit.engine.readers.description import GivenDescription, describe
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import default_sources

Logs = Mapping[str, float]
GIVEN = GivenDescription(
    "dpo",
    {
        "beta": 0.1,
        "loss_type": ["sigmoid"],
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "world_size": 1,
    },
    max_steps=300,
    logging_steps=5,
)


def _log(step: int) -> Logs:
    """Return a row of a run that learns nothing, jumps once and ends in NaN."""
    wobble = (step * 7 % 11) / 1000
    return {
        "loss": 9.0 if step == 200 else 0.693 + wobble,
        "grad_norm": math.nan if step > 280 else 1.0 + wobble,
        "rewards/margins": wobble / 10,
        "rewards/accuracies": 0.5 + wobble,
    }


ROWS: list[tuple[int, Logs]] = [(step, _log(step)) for step in range(5, 301, 5)]
SUMMARY: Logs = {"train_runtime": 12.5}


def _trainer_state(path: Path) -> Path:
    history = [{**logs, "step": step} for step, logs in [*ROWS, (300, SUMMARY)]]
    state = {"global_step": 300, "max_steps": 300, "log_history": history}
    path = path / "trainer_state.json"
    path.write_text(json.dumps(state))
    return path


def _metrics(path: Path) -> Path:
    lines = [{"step": step, "epoch": None, "logs": logs} for step, logs in [*ROWS, (300, SUMMARY)]]
    path = path / "log.jsonl"
    end = json.dumps({"event": "train_end", "step": 300})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + end + "\n")
    return path


def _history(path: Path) -> Path:
    path = path / "history.jsonl"
    with path.open("w") as file:
        for counter, (step, logs) in enumerate([*ROWS, (300, SUMMARY)]):
            named = {f"train/{key}": value for key, value in logs.items()}
            row = {"_step": counter, "train/global_step": step, **named}
            file.write(json.dumps(row).replace("train/train_runtime", "train_runtime") + "\n")
    return path


def _table(path: Path) -> Path:
    path = path / "export.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", *ROWS[0][1], *SUMMARY])
        writer.writeheader()
        writer.writerows({"step": step, **logs} for step, logs in [*ROWS, (300, SUMMARY)])
    return path


@pytest.mark.parametrize("write", [_trainer_state, _metrics, _history, _table])
def test_the_format_does_not_change_the_diagnosis(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    rules = load_bundle(default_sources()).rules
    recording = describe(open_recording(write(tmp_path)), GIVEN)
    assert recording.guesses == ()
    read = replay(recording.entries, Engine(rules, recording.run))
    live: list[MetricsEntry] = [LoggedRow(step, None, admit(logs)) for step, logs in ROWS]
    live.append(Milestone("train_end", 300))
    told = list(map(insight_line, replay(live, Engine(rules, recording.run))))
    assert list(map(insight_line, read)) == told
    assert {json.loads(line)["rule"] for line in told} >= {"nan_hidden_by_filter", "loss_spike"}
