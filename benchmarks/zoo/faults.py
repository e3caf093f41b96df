"""Faults that are put into a training run from outside, at a given step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from specification import Fault
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class BrokenDataError(RuntimeError):
    """What a run that is made to crash raises."""


def inject(trainer: Trainer, fault: Fault) -> None:
    """Put a fault into a trainer that is about to train; faults of the data need nothing here."""
    injection = _INJECTIONS.get(fault.name)
    if injection is not None:
        injection(trainer, fault)


def _jump_learning_rate(trainer: Trainer, fault: Fault) -> None:
    trainer.add_callback(LearningRateJump(fault))


def _break_loss(trainer: Trainer, fault: Fault) -> None:
    compute = trainer.compute_loss

    @functools.wraps(compute)
    def broken(*args: Any, **kwargs: Any) -> Any:
        result = compute(*args, **kwargs)
        if trainer.state.global_step != fault.step:
            return result
        return (
            (result[0] * math.nan, *result[1:]) if isinstance(result, tuple) else result * math.nan
        )

    trainer.compute_loss = broken  # type: ignore[method-assign]


def _break_gradient(trainer: Trainer, fault: Fault) -> None:
    _scale_gradients(trainer, lambda step: math.nan if step == fault.step else 1.0)


def _stop_gradient(trainer: Trainer, fault: Fault) -> None:
    _scale_gradients(trainer, lambda step: 0.0 if step >= fault.step else 1.0)


def _scale_gradients(trainer: Trainer, factor: Callable[[int], float]) -> None:
    def scaled(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * factor(trainer.state.global_step)

    assert trainer.model is not None
    for parameter in trainer.model.parameters():
        parameter.register_hook(scaled)  # type: ignore[no-untyped-call]


def _crash(trainer: Trainer, fault: Fault) -> None:
    trainer.add_callback(_Crash(fault.step))


class LearningRateJump(TrainerCallback):
    """Multiplies the learning rate, as a scheduler set up wrongly after a resume does."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Multiply the rate once the step has come."""
        if state.global_step != self._fault.step:
            return
        scheduler = kwargs["lr_scheduler"]
        scheduler.base_lrs = [rate * self._fault.factor for rate in scheduler.base_lrs]
        for group in kwargs["optimizer"].param_groups:
            group["lr"] *= self._fault.factor


class _Crash(TrainerCallback):
    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == self._step:
            raise BrokenDataError("the example has no field 'text'")


_INJECTIONS: dict[str, Callable[[Trainer, Fault], None]] = {
    "lr_jump": _jump_learning_rate,
    "nan_loss": _break_loss,
    "nan_gradient": _break_gradient,
    "frozen": _stop_gradient,
    "crash": _crash,
}
