"""Takes the snapshots of a run, on every rank; each answers its share of the prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.ranks import gather_objects, is_distributed
from post_training_toolkit.ptt_trl.snapshots.as_found import is_sharded
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.settings import SnapshotSettings
from post_training_toolkit.ptt_trl.snapshots.snapshot import Moment
from post_training_toolkit.ptt_trl.snapshots.taking import Share, take_share


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """What a user asked for, and the prompts that it comes to."""

    settings: SnapshotSettings
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class SharesTaken:
    """What all ranks have found out at one moment, in the order of ranks; None where one failed."""

    moment: Moment
    shares: tuple[Share | None, ...]


class SnapshotRecorder:
    """Knows when a snapshot is due, and takes it; all ranks must ask it the same things.

    A rank that fails ends the snapshots of the run: what could not be done once, such as for want
    of memory, had better not be tried again in somebody's training.
    """

    def __init__(self, plan: SnapshotPlan, containment: Containment) -> None:
        self._plan = plan
        self._containment = containment
        self._steps_between = 0
        self._taken_at: int | None = None
        self._failed = False

    def begin(self, step: int, max_steps: int) -> bool:
        """Take in that a training begins; return whether a snapshot of its start is due."""
        self._steps_between = self._plan.settings.steps_between(max_steps)
        return step == 0

    def is_due(self, step: int, max_steps: int) -> bool:
        """Return whether a snapshot is due behind this step; the last has one of its own."""
        return not self._failed and step % self._steps_between == 0 and step < max_steps

    def is_due_at_end(self, step: int) -> bool:
        """Return whether the end of a training needs a snapshot, as it has none yet."""
        return not self._failed and step != self._taken_at

    def take(
        self,
        step: int,
        moment: Moment,
        model: torch.nn.Module,
        processing_class: object,
        beat: Callable[[int], object],
    ) -> SharesTaken:
        """Take a snapshot together with all other ranks; every rank must make this call."""
        self._taken_at = step
        # Ranks that hold parts of one model only compute together, all of them the same.
        together = is_distributed() and is_sharded(model)
        rank = torch.distributed.get_rank() if is_distributed() and not together else 0
        ranks = torch.distributed.get_world_size() if is_distributed() and not together else 1
        own = self._containment.run(
            "snapshot",
            take_share,
            model,
            processing_class,
            self._plan.prompts[rank::ranks],
            self._plan.settings.generation,
            is_start=moment is Moment.START,
            advance=beat,
        )
        shares = gather_objects(own) if is_distributed() else [own]
        self._failed = None in shares
        return SharesTaken(moment, tuple(shares[:ranks]))
