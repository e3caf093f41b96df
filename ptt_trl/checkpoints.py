"""Knows the checkpoints of this run, and whether weights are worth saving."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints that this run saved, or began from; others in the folder are not its own.

    ``limit`` is the trainer's ``save_total_limit``: older ones are deleted beyond it.
    """

    output_dir: Path
    limit: int | None = None
    steps: list[int] = field(default_factory=list)

    def path(self, step: int) -> Path:
        """Return where the trainer saves the checkpoint of a step."""
        return self.output_dir / f"{PREFIX_CHECKPOINT_DIR}-{step}"

    def kept(self) -> list[int]:
        """Return the steps of the checkpoints that are still there, oldest first."""
        return sorted(each for each in self.steps if self.path(each).is_dir())

    def last_sound(self, step: int) -> int | None:
        """Return the step of the newest checkpoint, still there, that is not newer than a step."""
        return max((each for each in self.kept() if each <= step), default=None)

    def saving_would_delete(self, step: int) -> bool:
        """Return whether one more checkpoint would push that of a step over the limit."""
        if self.limit is None or self.limit <= 0:
            return False
        return step not in self.kept()[-(self.limit - 1) :] if self.limit > 1 else True


def weights_are_finite(model: torch.nn.Module) -> bool:
    """Return whether every parameter, as far as this process holds it, has finite numbers only."""
    return all(bool(torch.isfinite(_held(each)).all()) for each in model.parameters())


def _held(parameter: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a parameter; asking for more would wait for the others.

    DeepSpeed ZeRO-3 leaves an empty parameter and keeps the shard beside it.
    """
    to_local = getattr(parameter, "to_local", None)  # a DTensor of FSDP
    held: torch.Tensor = to_local() if to_local else getattr(parameter, "ds_tensor", parameter)
    return held
