"""Takes the snapshots of a run, on every rank; each answers its share of the prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TrainerState

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.ranks import gather_objects, is_distributed
from post_training_toolkit.ptt_trl.snapshots.as_found import is_sharded
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.settings import SnapshotSettings
from post_training_toolkit.ptt_trl.snapshots.snapshot import Moment
from post_training_toolkit.ptt_trl.snapshots.taking import Share, take_share, why_no_snapshot


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
    """Knows when a snapshot of a training is due, and takes it; all ranks must make each call.

    ``keep`` is what rank 0 does with a snapshot, None elsewhere; ``beat`` is called as prompts are
    answered. A rank that fails ends the snapshots of the run: what could not be done once, such as
    for want of memory, had better not be tried again in somebody's training.
    """

    def __init__(
        self,
        plan: SnapshotPlan,
        containment: Containment,
        keep: Callable[[int, float | None, SharesTaken, torch.nn.Module], object] | None,
        beat: Callable[[int], object],
    ) -> None:
        self._plan = plan
        self._containment = containment
        self._keep = keep
        self._beat = beat
        self._steps_between = 0
        self._taken_at: int | None = None
        self._failed = False

    def begin(self, state: TrainerState, given: Mapping[str, Any]) -> str | None:
        """Take the snapshot of a fresh start; return why this model can have none, if so.

        ``given`` is what a trainer gives its callbacks.
        """
        reason = why_no_snapshot(given["model"], given.get("processing_class"))
        if reason is None:
            self._steps_between = self._plan.settings.steps_between(state.max_steps)
            if state.global_step == 0:
                self._take(state, Moment.START, given)
        return reason

    def step_ends(self, state: TrainerState, given: Mapping[str, Any]) -> bool:
        """Take a snapshot if one is due behind this step; return whether it was."""
        step = state.global_step
        # The last step has that of the end.
        due = not self._failed and step % self._steps_between == 0 and step < state.max_steps
        if due:
            self._take(state, Moment.DURING, given)
        return due

    def end(self, state: TrainerState, given: Mapping[str, Any]) -> None:
        """Take the snapshot of the end, unless there is one of this step."""
        if not self._failed and state.global_step != self._taken_at:
            self._take(state, Moment.END, given)

    def _take(self, state: TrainerState, moment: Moment, given: Mapping[str, Any]) -> None:
        model = given["model"]
        self._taken_at = state.global_step
        # Ranks that hold parts of one model only compute together, all of them the same.
        together = is_distributed() and is_sharded(model)
        rank = torch.distributed.get_rank() if is_distributed() and not together else 0
        ranks = torch.distributed.get_world_size() if is_distributed() and not together else 1
        own = self._containment.run(
            "snapshot",
            take_share,
            model,
            given.get("processing_class"),
            self._plan.prompts[rank::ranks],
            self._plan.settings.generation,
            is_start=moment is Moment.START,
            advance=self._beat,
        )
        # Outside containment: a rank that stays away would block the others.
        shares = gather_objects(own) if is_distributed() else [own]
        self._failed = None in shares
        taken = SharesTaken(moment, tuple(shares[:ranks]))
        if self._keep is not None:
            self._containment.run(
                "snapshot", self._keep, state.global_step, state.epoch, taken, model
            )
