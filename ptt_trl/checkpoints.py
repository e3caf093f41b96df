"""Knows the checkpoints of this run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from post_training_toolkit.ptt_trl.postmortem.checkpoint_check import checkpoint_folder


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
        return checkpoint_folder(self.output_dir, step)

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
