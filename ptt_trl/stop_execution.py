"""Carries a stop out on one rank, in the way that its trainer understands."""

from __future__ import annotations

import torch
from transformers import TrainerControl

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.ranks import all_ranks, is_distributed
from post_training_toolkit.ptt_trl.stop import StopDecision
from post_training_toolkit.ptt_trl.weights import weights_are_finite


class StopExecution:
    """Sets a trainer's flags once all ranks have agreed to stop.

    ``decision`` is what is being done; CONTINUE until they have. Nothing is saved when the weights
    of any rank are not finite, which ``weights_finite`` then tells.
    """

    def __init__(self, containment: Containment, device: torch.device) -> None:
        self._containment = containment
        self._device = device
        self.decision = StopDecision.CONTINUE
        self.weights_finite = True

    def carry_out(
        self, agreed: StopDecision, model: torch.nn.Module | None, control: TrainerControl
    ) -> None:
        """Do what all ranks agreed on; every rank must make this call."""
        if agreed is StopDecision.CONTINUE:
            return
        if self.decision is StopDecision.CONTINUE:
            self.weights_finite = self._weights_are_finite(model)
            self.decision = agreed if self.weights_finite else StopDecision.STOP_WITHOUT_SAVING
            # Once: a save at every further step would be one too many.
            control.should_save = self.decision is StopDecision.SAVE_AND_STOP
        control.should_training_stop = True
        self.guard_saving(control)

    def guard_saving(self, control: TrainerControl) -> None:
        """Keep the trainer from a save of its own that would undo a stop without saving."""
        if self.decision is StopDecision.STOP_WITHOUT_SAVING:
            control.should_save = False

    def _weights_are_finite(self, model: torch.nn.Module | None) -> bool:
        # An unanswered check counts as finite: a checkpoint too many does no harm.
        finite = model is None or (
            self._containment.run("weights check", weights_are_finite, model) is not False
        )
        return all_ranks(finite, self._device) if is_distributed() else finite
