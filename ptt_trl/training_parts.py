"""Finds the parts of a training run: what callbacks are given, and what only its trainer holds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Trainer


@dataclass(frozen=True, slots=True)
class TrainingParts:
    """The objects that a run is made of; None for what it does not have or nobody shows.

    ``reference_model`` is a model of its own; with an adapter, the reference is the policy without
    it. ``collator`` makes a batch of a list of examples.
    """

    trainer: Trainer | None
    model: torch.nn.Module | None
    reference_model: torch.nn.Module | None
    processing_class: object
    train_dataset: object
    collator: Callable[[list[Any]], object] | None


def find_parts(given: Mapping[str, Any]) -> TrainingParts:
    """Return the parts, from a callback's keyword arguments and the trainer that calls it.

    Must be called from within a callback's method.
    """
    trainer = calling_trainer()
    loader = given.get("train_dataloader")
    # PPOTrainer gives its callbacks no data loader.
    dataset = getattr(loader, "dataset", None)
    collator = getattr(loader, "collate_fn", None)
    return TrainingParts(
        trainer=trainer,
        model=given.get("model"),
        reference_model=getattr(trainer, "ref_model", None),
        processing_class=given.get("processing_class"),
        train_dataset=dataset if dataset is not None else getattr(trainer, "train_dataset", None),
        collator=collator if collator is not None else getattr(trainer, "data_collator", None),
    )


def calling_trainer() -> Trainer | None:
    """Return the trainer that is calling a callback right now, None outside of one.

    Callbacks are given the arguments and the model, but not the trainer, which alone knows its own
    class and the reference model; it is the ``self`` of a method further up the stack.
    """
    frame = sys._getframe(1)
    while frame is not None:
        candidate = frame.f_locals.get("self")
        if isinstance(candidate, Trainer):
            return candidate
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None
