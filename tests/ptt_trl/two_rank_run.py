"""Run by test_two_ranks.py in two processes: a DPO run of the scenario that the command names."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from post_training_toolkit import DiagnosticsCallback, Generation, SnapshotSettings

LEARNS_NOTHING = 2e-8
LEARNS = 5e-4
COLLECTIVES = ("broadcast", "all_reduce", "all_gather", "all_gather_into_tensor", "barrier")

tokenizer = build_tokenizer()


class AtStep(TrainerCallback):
    """Does something on one rank alone as each step begins, as users do with judges."""

    trainer: DPOTrainer

    def __init__(self, rank: int, act: Callable[[DPOTrainer, int], None]) -> None:
        self.rank = rank
        self.act = act

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Act, where a collective call would wait for the other rank for ever."""
        if args.process_index == self.rank:
            self.act(self.trainer, state.global_step)


def train(output_dir: Path, *callbacks: TrainerCallback, **given: Any) -> DPOTrainer:
    """Train a tiny model; ``given`` are arguments of DPOConfig."""
    arguments = DPOConfig(
        output_dir=str(output_dir),
        **{
            "per_device_train_batch_size": 4,
            "learning_rate": LEARNS_NOTHING,
            "max_steps": 40,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "bf16": False,
            **given,
        },
    )
    trainer = DPOTrainer(
        model=build_model(tokenizer, seed=0),
        ref_model=build_model(tokenizer, seed=0),
        args=arguments,
        train_dataset=preference_dataset(400, seed=1),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    for callback in callbacks:
        if isinstance(callback, AtStep):
            callback.trainer = trainer
    trainer.train()
    return trainer


def stop(output_dir: Path) -> Any:
    """Learn nothing, while rank 0 alone logs a score, and stop."""
    judge = AtStep(0, lambda trainer, step: trainer.log({"judge_score": 0.5}))
    return train(output_dir, DiagnosticsCallback(stop_on="high"), judge).state.global_step


def trouble_on_rank_1(output_dir: Path) -> Any:
    """Learn well, but on rank 1 alone a score of its own is NaN at step 5."""

    def judge(trainer: DPOTrainer, step: int) -> None:
        if step == 5:
            trainer.log({"judge_score": float("nan")})

    callback = DiagnosticsCallback(stop_on=["rank_non_finite"])
    return train(output_dir, callback, AtStep(1, judge), learning_rate=LEARNS).state.global_step


class SlowRank(TrainerCallback):
    """Takes its time between two steps on rank 1, as a slow disk does."""

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait, while the other rank goes on to the next step and waits there."""
        if args.process_index == 1:
            time.sleep(0.3)


def slow_rank(output_dir: Path) -> Any:
    """Learn well, with one rank that the other always waits for."""
    callback = DiagnosticsCallback(stop_on=["straggler"])
    trainer = train(output_dir, callback, SlowRank(), learning_rate=LEARNS)
    return trainer.state.global_step


def log_by_epoch(output_dir: Path) -> Any:
    """Log only as epochs end, where no step follows at once, and stop by the first log."""
    rules = output_dir / "own.yaml"
    callback = DiagnosticsCallback(rules=rules, stop_on=["any_loss"])
    trainer = train(
        output_dir,
        callback,
        logging_strategy="epoch",
        max_steps=-1,
        num_train_epochs=3,
        per_device_train_batch_size=20,
    )
    return trainer.state.global_step


def die(output_dir: Path) -> Any:
    """Lose rank 1 in the middle of a run that would stop a little later."""

    def end(trainer: DPOTrainer, step: int) -> None:
        if step == 5:
            os._exit(7)

    return train(output_dir, DiagnosticsCallback(stop_on="high"), AtStep(1, end)).state.global_step


def fail(output_dir: Path) -> Any:
    """Have rank 1 raise in the middle of a run, which rank 0 learns of from its sockets."""

    def broken_data(trainer: DPOTrainer, step: int) -> None:
        if step == 5:
            raise ValueError("row 7 of shard 1 is broken")

    return train(output_dir, DiagnosticsCallback(), AtStep(1, broken_data)).state.global_step


def cost(output_dir: Path) -> Any:
    """Count collective calls, and keep the losses, without the callback and with it."""
    counted = {}
    for name, callbacks in {
        "without": [],
        "watching": [DiagnosticsCallback()],
        "stopping": [DiagnosticsCallback(stop_on="critical")],
    }.items():
        with collective_calls() as calls:
            trainer = train(
                output_dir / name, *callbacks, learning_rate=LEARNS, max_steps=20, logging_steps=2
            )
        losses = [row["loss"].hex() for row in trainer.state.log_history if "loss" in row]
        counted[name] = {"calls": len(calls), "losses": losses}
    return counted


def snapshots(output_dir: Path) -> Any:
    """Take snapshots while training, and return the losses with and without them."""
    losses = {}
    choices: dict[str, SnapshotSettings | bool] = {
        "with": snapshot_settings(output_dir),
        "without": False,
    }
    for name, wanted in choices.items():
        callback = DiagnosticsCallback(snapshots=wanted)
        trainer = train(output_dir / name, callback, learning_rate=LEARNS, max_steps=6)
        losses[name] = [row["loss"].hex() for row in trainer.state.log_history if "loss" in row]
    return losses


def snapshot_failing(output_dir: Path) -> Any:
    """Have rank 1 fail at its part of the first snapshot, and train on."""
    callback = DiagnosticsCallback(snapshots=snapshot_settings(output_dir))

    def break_generation(trainer: DPOTrainer, step: int) -> None:
        def out_of_memory(**given: Any) -> None:
            raise torch.OutOfMemoryError("out of memory")

        if step == 1 and trainer.model is not None:
            trainer.model.generate = out_of_memory  # type: ignore[assignment]

    breaker = AtStep(1, break_generation)
    return train(output_dir, callback, breaker, max_steps=6).state.global_step


def snapshot_settings(folder: Path) -> SnapshotSettings:
    """Return settings for a few prompts, an odd number of them."""
    prompts = folder / "prompts.txt"
    # Both ranks write the same.
    prompts.write_text("Hello!\nWhat is 2 plus 3?\nWhat comes after May?\n")
    return SnapshotSettings(
        every=3, prompts=prompts, built_in=False, generation=Generation(max_new_tokens=6)
    )


@contextmanager
def collective_calls() -> Iterator[list[str]]:
    """Yield a list of the names of all collective calls made while it is open."""
    calls: list[str] = []

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            calls.append(name)
            return original(*arguments, **keywords)

        return call

    with ExitStack() as patches:
        for name in COLLECTIVES:
            original = getattr(torch.distributed, name)
            patches.enter_context(
                mock.patch.object(torch.distributed, name, counting(name, original))
            )
        yield calls


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        *(stop, trouble_on_rank_1, slow_rank, log_by_epoch, die, fail, cost),
        *(snapshots, snapshot_failing),
    )
}


def main() -> None:
    """Run the scenario and write what this rank found out."""
    torch.set_num_threads(1)
    output_dir = Path(sys.argv[2])
    found = SCENARIOS[sys.argv[1]](output_dir)
    (output_dir / f"rank-{os.environ['RANK']}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
