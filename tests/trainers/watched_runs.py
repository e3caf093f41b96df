"""Short runs of every trainer, healthy and broken, with the callback on them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from all_runs import all_runs
from builders import trainer_builder
from faults import inject
from language_model import ModelRecipe
from packaging.version import Version
from specification import RunSpecification
from transformers import Trainer, TrainerCallback

from post_training_toolkit import (
    DiagnosticsCallback,
    Generation,
    SnapshotSettings,
    TrainingStopped,
)

# PPOTrainer left TRL after this release, and is all that is looked at with it.
TRL_WITH_PPO = Version("1.12.0")
TRL = Version(version("trl"))

TRAINERS = (
    ("ppo",)
    if TRL == TRL_WITH_PPO
    else ("sft", "dpo", "kto", "reward", "grpo", "rloo", "orpo", "cpo", "online_dpo")
)
# Trained in seconds; it need not be good at anything.
_MODEL = ModelRecipe(hidden_size=64, steps=150)
_STEPS = 16
# The fault of each trainer that shows soonest, as benchmarks/zoo puts it in.
_FAULTS = {
    "grpo": "constant-reward",
    "rloo": "constant-reward",
    "online_dpo": "constant-reward",
    "ppo": "constant-reward",
}


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run that is over: its trainer, its files, and what its training raised, if anything."""

    trainer: Trainer
    run_dir: Path
    raised: TrainingStopped | None


def healthy_run(trainer: str, output_dir: Path) -> WatchedRun:
    """Train a few steps with nothing wrong."""
    specification = _specification(trainer, "healthy-a", steps=_STEPS)
    return _watch(specification, output_dir, DiagnosticsCallback())


def broken_run(trainer: str, output_dir: Path, **given: Any) -> WatchedRun:
    """Train with a fault from the first step; ``given`` are arguments of the callback."""
    name = _FAULTS.get(trainer, "frozen")
    specification = _specification(trainer, name, steps=4 * _STEPS)
    return _watch(specification, output_dir, DiagnosticsCallback(**given))


def asked_run(trainer: str, output_dir: Path) -> WatchedRun:
    """Train a few steps, and ask the model a few things before, during and after."""
    specification = _specification(trainer, "healthy-a", steps=4)
    prompts = output_dir / "prompts.txt"
    prompts.write_text("Hello!\nWhat is 2 plus 3?\n")
    settings = SnapshotSettings(
        every=2, prompts=prompts, built_in=False, generation=Generation(max_new_tokens=4)
    )
    return _watch(specification, output_dir, DiagnosticsCallback(snapshots=settings))


class DataError(Exception):
    """What a run dies of."""


class _Breaks(TrainerCallback):
    """Raises after the second step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise once."""
        if state.global_step == 2:
            raise DataError("row 7 is broken")


def died_run(trainer: str, output_dir: Path) -> Path:
    """Train until an exception ends the script, and return the run directory."""
    specification = _specification(trainer, "healthy-a", steps=4)
    watched = trainer_builder(trainer)(specification, str(output_dir))
    watched.add_callback(DiagnosticsCallback())
    watched.add_callback(_Breaks())
    try:
        watched.train()
    except DataError as error:
        # What the interpreter does where nobody catches it.
        sys.excepthook(DataError, error, error.__traceback__)
    return output_dir / "ptt"


def _specification(trainer: str, name: str, steps: int) -> RunSpecification:
    [found] = [
        each
        for each in all_runs()
        if (each.trainer, each.name, each.split) == (trainer, name, "tuning")
    ]
    arguments = dict(found.arguments)
    if trainer == "ppo":
        # PPO counts completions: a batch of 8 from each of two accumulated steps.
        arguments["total_episodes"] = 16 * steps
    else:
        arguments["max_steps"] = steps
    return replace(found, model=_MODEL, arguments=arguments)


def _watch(
    specification: RunSpecification, output_dir: Path, callback: DiagnosticsCallback
) -> WatchedRun:
    trainer = trainer_builder(specification.trainer)(specification, str(output_dir))
    trainer.add_callback(callback)
    if specification.fault is not None:
        inject(trainer, specification.fault)
    raised = None
    try:
        trainer.train()
    except TrainingStopped as stopped:
        raised = stopped
    return WatchedRun(trainer, output_dir / "ptt", raised)
