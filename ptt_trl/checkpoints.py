"""Finds a trainer's checkpoints and tells whether weights are worth saving."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

_CHECKPOINT = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")


def checkpoint_path(output_dir: Path, step: int) -> Path:
    """Return where a trainer saves its checkpoint of a step."""
    return output_dir / f"{PREFIX_CHECKPOINT_DIR}-{step}"


def last_checkpoint_before(output_dir: Path, step: int) -> Path | None:
    """Return the newest checkpoint saved before a step, or None.

    The step's own checkpoint holds weights that the step has already changed, and is not counted.
    """
    found = {}
    if output_dir.is_dir():
        for entry in output_dir.iterdir():
            match = _CHECKPOINT.fullmatch(entry.name)
            if match and int(match[1]) < step:
                found[int(match[1])] = entry
    return found[max(found)] if found else None


def weights_are_finite(model: torch.nn.Module) -> bool:
    """Return whether every parameter holds finite numbers only."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
