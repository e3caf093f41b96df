"""What a rank measures of itself is where the time went, and is gathered as min, mean and max."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.ptt_trl.machine import MachineReading, MachineWatch, machine_row


def readings(run_dir: Path) -> list[dict[str, float]]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line).get("logs", {}) for line in lines]
    return [row for row in rows if "step_time/mean" in row]


class SleepBetweenSteps(TrainerCallback):
    """Takes long between steps, as a slow data loader does, or as logging and saving do."""

    def __init__(self, event: str, seconds: float) -> None:
        setattr(self, event, lambda *_, **__: time.sleep(seconds))


def test_time_in_a_step_and_time_between_steps_are_told_apart() -> None:
    watch = MachineWatch(torch.device("cpu"))
    for _ in range(3):
        watch.step_begins()
        time.sleep(0.1)
        watch.step_ends()
        time.sleep(0.01)
    reading = watch.read()
    assert reading.step_time >= 0.1
    assert 0.01 <= reading.data_time < reading.step_time
    # What was read once is not read again.
    assert math.isnan(watch.read().step_time)


def test_a_pause_is_not_the_time_of_the_data() -> None:
    watch = MachineWatch(torch.device("cpu"))
    watch.step_begins()
    watch.step_ends()
    time.sleep(0.5)
    watch.pause_ends()
    watch.step_begins()
    assert watch.read().data_time < 0.5


@pytest.mark.parametrize("event", ["on_log", "on_save"])
def test_logging_and_saving_are_pauses_in_a_real_run(
    event: str, run_dpo: Any, tmp_path: Path
) -> None:
    run_dpo(
        tmp_path,
        SleepBetweenSteps(event, 0.5),
        DiagnosticsCallback(),
        max_steps=4,
        save_strategy="steps",
        save_steps=1,
    )
    rows = readings(tmp_path / "ptt")
    assert len(rows) == 4
    assert all(row["data_time/max"] < 0.5 for row in rows[1:])
    # The first step has none before it.
    assert "data_time/max" not in rows[0]


def test_slow_data_shows(run_dpo: Any, tmp_path: Path) -> None:
    callbacks = (DiagnosticsCallback(), SleepBetweenSteps("on_step_end", 0.1))
    run_dpo(tmp_path, *callbacks, max_steps=6, logging_steps=3)
    first, second = readings(tmp_path / "ptt")
    # Two of three pauses between steps are no log.
    assert second["data_time/max"] > 0.06
    assert second["memory/max"] > 0.1
    assert first["memory/free"] > 0.1
    # There is no other rank.
    assert first["non_finite/other_ranks"] == 0


def test_a_rank_that_could_measure_nothing_hides_only_its_own_kind() -> None:
    well = MachineReading(1.0, 0.1, 2.0, 8.0, 0.0)
    assert machine_row([well, MachineReading.nothing()]) == {"non_finite/other_ranks": 0.0}
    row = machine_row([well, MachineReading(3.0, 0.3, 4.0, 6.0, 1.0)])
    assert row == {
        "step_time/min": 1.0,
        "step_time/mean": 2.0,
        "step_time/max": 3.0,
        "data_time/min": 0.1,
        "data_time/mean": 0.2,
        "data_time/max": 0.3,
        "memory/min": 2.0,
        "memory/mean": 3.0,
        "memory/max": 4.0,
        "memory/free": 2.0,
        "non_finite/other_ranks": 1.0,
    }


def test_what_the_first_rank_sees_too_is_not_told_twice() -> None:
    overflow = MachineReading(1.0, 0.1, 2.0, 8.0, 1.0)
    assert machine_row([overflow, overflow])["non_finite/other_ranks"] == 0.0
