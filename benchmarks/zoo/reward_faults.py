"""Faults of the reward that set in while a run is going on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

from rewards import RewardFunction
from specification import Fault

Rewards = list[float | None]


class RewardServiceError(RuntimeError):
    """What a reward function raises in a run that is made to crash by it."""


def with_fault(reward: RewardFunction, fault: Fault | None) -> RewardFunction:
    """Return the reward function with the fault put in; the name in the log stays the same."""
    if fault is None or fault.name not in _CHANGES:
        return reward

    def faulty(*, trainer_state: Any, **batch: Any) -> Rewards:
        rewards = reward(**batch)
        return changed(rewards, fault) if trainer_state.global_step >= fault.step else rewards

    faulty.__name__ = reward.__name__
    return faulty


def changed(rewards: Rewards, fault: Fault) -> Rewards:
    """Return what a fault that is in force makes of the rewards of a batch.

    >>> changed([0.5, 1.0], Fault("reward_scale", factor=10.0))
    [5.0, 10.0]
    """
    return [None if reward is None else _CHANGES[fault.name](reward, fault) for reward in rewards]


def is_reward_fault(fault: Fault | None) -> bool:
    """Return whether the fault is one of the reward."""
    return fault is not None and fault.name in _CHANGES


def _raise(_: float, __: Fault) -> float:
    raise RewardServiceError("the reward service returned HTTP 503")


_CHANGES: Mapping[str, Callable[[float, Fault], float | None]] = {
    "reward_sign": lambda reward, _: -reward,
    "reward_zero": lambda _, __: 0.0,
    "reward_scale": lambda reward, fault: reward * fault.factor,
    "reward_noise": lambda reward, fault: reward + random.gauss(0.0, fault.factor),
    "reward_none": lambda _, __: None,
    "reward_nan": lambda _, __: math.nan,
    "reward_exception": _raise,
}
