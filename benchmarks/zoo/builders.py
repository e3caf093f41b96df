"""Chooses what builds a trainer; each import takes seconds, and PPO's needs another TRL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from specification import RunSpecification

if TYPE_CHECKING:
    from transformers import Trainer


def trainer_builder(trainer: str) -> Callable[[RunSpecification, str], Trainer]:
    """Return the function that makes a trainer of a specification and a folder for its output."""
    if trainer == "ppo":
        from train_ppo import build_trainer as build_ppo

        return build_ppo
    if trainer in ("grpo", "rloo", "online_dpo"):
        from train_reinforcement import build_trainer as build_reinforcement

        return build_reinforcement
    from train_supervised import build_trainer as build_supervised

    return build_supervised
