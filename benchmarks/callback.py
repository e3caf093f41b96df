"""What the callback costs a run, as ratios: with it and without it, and a log against JSON.

Runs with and without the callback take turns in one process, and the ratio is that of their median
wall times. Run with ``make bench``; the table is kept in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
# On models this small a second thread only waits for the first.
os.environ["OMP_NUM_THREADS"] = "1"
# The tiny model is that of the demo, the trainers are those of the zoo.
sys.path.append(str(Path(__file__).resolve().parents[1] / "demo" / "scripts"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks" / "zoo"))

import datasets
import torch
from all_runs import all_runs
from builders import trainer_builder
from language_model import ModelRecipe
from transformers import TrainerControl, TrainerState
from transformers.trainer_callback import PrinterCallback
from trl import DPOConfig

from post_training_toolkit import DiagnosticsCallback

# Small enough for seconds, large enough that a step takes longer than Python around it.
MODEL = ModelRecipe(hidden_size=256, layers=4, steps=20)
STEPS = 20
PAIRS = 5
LOGS = 2_000


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, against what, the ratio and the aim."""

    what: str
    against: str
    ratio: float
    target: float
    here: str


def share_of_a_run(trainer: str) -> Figure:
    """Return the wall time of a run that logs at every step over that without the callback."""
    alone, watched = [], []
    for _ in range(PAIRS):
        alone.append(_seconds(trainer, []))
        watched.append(_seconds(trainer, [DiagnosticsCallback()]))
    without, with_it = statistics.median(alone), statistics.median(watched)
    milliseconds = 1000 * (with_it - without) / STEPS
    return Figure(
        what=f"a {trainer.upper()} run, a log at every step",
        against="the same run without the callback",
        ratio=with_it / without,
        # The step of a real model is a hundred times as long.
        target=1.15,
        here=f"{milliseconds:.1f} ms of {1000 * without / STEPS:.0f} ms a step",
    )


def cost_of_a_log() -> Figure:
    """Return the time of one log of a DPO run over a JSON round trip of its row."""
    rows = _rows(LOGS)
    with tempfile.TemporaryDirectory() as folder:
        log = _open_run(folder)
        ours, theirs = [], []
        for step, row in enumerate(rows, start=1):
            began = time.perf_counter()
            log(step, row)
            between = time.perf_counter()
            json.loads(json.dumps(row))
            ours.append(between - began)
            theirs.append(time.perf_counter() - between)
    log_time, json_time = statistics.median(ours), statistics.median(theirs)
    return Figure(
        what="a log of a DPO run, with everything that is written",
        against="json.dumps + json.loads of it",
        ratio=log_time / json_time,
        target=15,
        here=f"{1e6 * log_time:.0f} us",
    )


def memory_of_logs() -> Figure:
    """Return the Python memory held after 100,000 logs over that after 1,000."""
    held = {}
    rows = _rows(1_000)
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        log = _open_run(folder)
        for step in range(1, 100_001):
            log(step, rows[step % len(rows)])
            if step in (1_000, 100_000):
                held[step] = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    return Figure(
        what="memory after 100,000 logs",
        against="memory after 1,000 logs",
        ratio=held[100_000] / held[1_000],
        target=1.1,
        here=f"{held[100_000] / 2**20:.1f} MiB",
    )


def _seconds(trainer: str, callbacks: Sequence[DiagnosticsCallback]) -> float:
    [found] = [
        each
        for each in all_runs()
        if (each.trainer, each.name, each.split) == (trainer, "healthy-a", "tuning")
    ]
    specification = replace(found, model=MODEL, arguments={**found.arguments, "max_steps": STEPS})
    with tempfile.TemporaryDirectory() as scratch:
        built = trainer_builder(trainer)(specification, scratch)
        built.remove_callback(PrinterCallback)
        for callback in callbacks:
            built.add_callback(callback)
        began = time.perf_counter()
        built.train()
        return time.perf_counter() - began


def _open_run(folder: str) -> Callable[[int, dict[str, float]], None]:
    """Return a function that logs a row to a run that has no trainer."""
    arguments = DPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, report_to="none", max_steps=100_000
    )
    state, control = TrainerState(max_steps=100_000, logging_steps=1), TrainerControl()
    callback = DiagnosticsCallback()
    callback.on_train_begin(arguments, state, control)

    def log(step: int, row: dict[str, float]) -> None:
        state.global_step = step
        callback.on_log(arguments, state, control, logs=row)

    return log


def _rows(count: int) -> list[dict[str, float]]:
    """Return rows of a DPO run that has learned: noise, of which no rule says anything."""
    draw = random.Random(0).gauss
    margin = 2.1
    return [
        {
            "loss": 0.7 / (1 + margin) + draw(0, 0.01),
            "grad_norm": 2 + draw(0, 0.2),
            "learning_rate": 1e-6,
            "entropy": 1.2 + draw(0, 0.02),
            "num_tokens": 4000.0 * step,
            "mean_token_accuracy": 0.8 + draw(0, 0.01),
            "logits/chosen": -0.9 + draw(0, 0.02),
            "logits/rejected": -0.8 + draw(0, 0.02),
            "logps/chosen": -50 + draw(0, 1),
            "logps/rejected": -60 + draw(0, 1),
            "rewards/chosen": margin / 2 + draw(0, 0.05),
            "rewards/rejected": -margin / 2 + draw(0, 0.05),
            "rewards/margins": margin + draw(0, 0.05),
            "rewards/accuracies": 0.9 + draw(0, 0.02),
            "epoch": step / count,
        }
        for step in range(count)
    ]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| what | against | ratio | target | cost here |", "|---|---|---|---|---|"]
    for each in figures:
        aim = f"at most {each.target:g}"
        cells = (each.what, each.against, f"{each.ratio:.2f}", aim, each.here)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, and return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    # What the callback prints is part of its cost, and of no interest here.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        figures = [
            share_of_a_run("dpo"),
            share_of_a_run("grpo"),
            cost_of_a_log(),
            memory_of_logs(),
        ]
    print(table(figures))
    return 1 if any(each.ratio > each.target for each in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
