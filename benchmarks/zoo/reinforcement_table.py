"""Writes down runs whose completions are sampled and rewarded, in both halves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from labels import HEALTHY, Labels
from language_model import ModelRecipe
from run_table import Half, both_halves
from specification import RunSpecification

RewardedPairs = Callable[..., list[RunSpecification]]


def rewarded_halves(trainer: str, defaults: Mapping[str, Any], model: ModelRecipe) -> RewardedPairs:
    """Return a function that makes a pair of runs of a trainer that samples.

    The faults stand in the halves; ``reward`` is a name out of rewards.py, None for the trained
    reward model of PPO.
    """
    pair = both_halves(trainer, defaults, model)

    def rewarded(
        name: str,
        description: str,
        tuning: Half,
        judging: Half,
        reward: str | None = "quality",
        labels: Labels = HEALTHY,
    ) -> list[RunSpecification]:
        runs = pair(name, description, tuning, judging, labels=labels)
        return [
            dataclasses.replace(run, reward=reward, onset_step=_onset(run, trainer)) for run in runs
        ]

    return rewarded


def _onset(run: RunSpecification, trainer: str) -> int:
    """Return the first logged step at which the fault is in force, 0 for one from the start."""
    if run.fault is None or run.fault.step == 0:
        return 0
    if run.fault.name in ("reward_exception", "crash"):
        # The event of an exception has the step that was finished last.
        return run.fault.step
    # PPO writes a row after every update, whatever logging_steps says.
    logging_steps: int = 1 if trainer == "ppo" else run.arguments.get("logging_steps", 1)
    return -(-(run.fault.step + 1) // logging_steps) * logging_steps
