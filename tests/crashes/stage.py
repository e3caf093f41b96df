"""Loads the trainer stack once, and then runs one training after the other in processes of its own.

Started by ``staged_runs.py``. Each line of stdin describes a run; it is forked, so that it can be
killed in every way, and each line of stdout says how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer
from ways_to_die import WAYS, AtStep

from post_training_toolkit import DiagnosticsCallback

STEPS = 20
LEARNS_NOTHING = 2e-8
OOM_GROUP = Path("/sys/fs/cgroup/memory")
OOM_LIMIT_BYTES = 3 * 2**29


def train(way: str, output_dir: Path, options: dict[str, Any]) -> None:
    """Train until the run dies, or ends."""
    callback = DiagnosticsCallback(
        hang_after=options.get("hang_after"), watcher=options.get("watcher", True)
    )
    added_later = way == "exception, callback added later"
    callbacks: list[TrainerCallback] = [] if added_later else [callback]
    if way in WAYS:
        moment = output_dir / "moment"
        act = AtStep(WAYS[way], lambda: moment.write_text(repr(time.time())))
        callbacks.append(act)
    trainer = DPOTrainer(
        model=build_model(tokenizer, seed=0),
        ref_model=build_model(tokenizer, seed=0),
        args=DPOConfig(
            output_dir=str(output_dir),
            per_device_train_batch_size=4,
            learning_rate=LEARNS_NOTHING,
            max_steps=options.get("steps", STEPS),
            logging_steps=1,
            save_steps=options.get("save_steps", 4),
            save_total_limit=3,
            report_to="none",
            use_cpu=True,
            bf16=False,
            enable_jit_checkpoint=way == "SIGTERM, trainer saves a checkpoint",
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    if added_later:
        trainer.callback_handler.callbacks.insert(0, callback)
    if way == "out-of-memory killer":
        _limit_memory()
    if way == "exception, swallowed by the caller":
        try:
            trainer.train()
        except torch.OutOfMemoryError:
            # The process lives on.
            (output_dir / "swallowed").touch()
            return
    trainer.train()


def _limit_memory() -> None:
    group = OOM_GROUP / f"ptt_test_{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(OOM_LIMIT_BYTES))
    (group / "memory.oom_control").write_text("0")
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _redirect(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.setsid()


def main() -> None:
    """Serve until stdin is closed; in a forked process, train and end as a script does."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        wish = json.loads(line)
        output_dir = Path(wish["output_dir"])
        process_id = os.fork()
        if not process_id:
            answers.close()
            _redirect(output_dir / "log.txt")
            train(wish["way"], output_dir, wish["options"])
            return
        answers.write(json.dumps({"process_id": process_id}) + "\n")
        answers.flush()
        _, status = os.waitpid(process_id, 0)
        answers.write(json.dumps({"status": status}) + "\n")
        answers.flush()


tokenizer = build_tokenizer()
dataset = preference_dataset(64, seed=1)
if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
