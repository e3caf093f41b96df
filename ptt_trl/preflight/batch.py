"""Measures one real batch, made by the trainer's own collator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from post_training_toolkit.ptt_trl.preflight.tokens import end_tokens
from post_training_toolkit.ptt_trl.training_parts import TrainingParts

_IGNORED = -100


def batch_metrics(parts: TrainingParts, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return which tokens of a batch are trained on; nothing where the batch does not say it."""
    if not rows or parts.collator is None:
        return {}
    batch = parts.collator([dict(row) for row in rows])
    sequences = [each for part in _parts(batch) for each in zip(*part, strict=True)]
    if not sequences:
        return {}
    ends = torch.tensor(sorted(end_tokens(parts.model, parts.processing_class)))
    untrained = sum(not bool(trained.any()) for _, trained in sequences)
    ended = sum(bool(torch.isin(ids[trained], ends).any()) for ids, trained in sequences)
    return {
        "untrained_examples": untrained / len(sequences),
        "trained_ends": ended / len(sequences),
    }


def _parts(batch: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield token ids, and which of them are trained on, of each part of a batch.

    Shape (sequences, tokens); the parts are the only one, or chosen and rejected answers.
    """
    if not isinstance(batch, Mapping):
        return
    for side in ("", "chosen_", "rejected_"):
        ids, labels = batch.get(f"{side}input_ids"), batch.get(f"{side}labels")
        mask = batch.get(f"{side}completion_mask")
        if not isinstance(ids, torch.Tensor) or ids.dim() != 2:
            continue
        if isinstance(labels, torch.Tensor) and labels.shape == ids.shape:
            yield ids, labels != _IGNORED
        elif isinstance(mask, torch.Tensor) and mask.shape == ids.shape:
            yield ids, mask.bool()
