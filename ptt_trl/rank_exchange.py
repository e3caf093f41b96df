"""What the ranks of a run tell each other at the end of a step, in one small collective call."""

from __future__ import annotations

import torch

from post_training_toolkit.ptt_trl.machine import MachineReading
from post_training_toolkit.ptt_trl.ranks import gather
from post_training_toolkit.ptt_trl.stop import StopDecision

# Between two exchanges where no stop has to be agreed on.
_STEPS_BETWEEN = 50


class RankExchange:
    """Knows when ranks exchange what they measured, and what rank 0 asks for.

    Where stops are agreed on, that is at the end of the step after each log: a log can be a single
    rank's own affair, the end of a step is not, and every rank sees the same flags there.
    """

    def __init__(self, *, agrees_on_stops: bool) -> None:
        self._agrees_on_stops = agrees_on_stops
        # What is seen before the first step counts as logged.
        self._logged = True
        self._exchanged_at = 0

    def note_log(self, logged: bool) -> None:
        """Take in whether the trainer logs after this step."""
        self._logged |= logged

    def is_due(self, step: int) -> bool:
        """Return whether the ranks exchange at the end of this step; the same on every rank."""
        if self._agrees_on_stops:
            return self._logged
        return step - self._exchanged_at >= _STEPS_BETWEEN

    def exchange(
        self, step: int, wish: StopDecision, reading: MachineReading, device: torch.device
    ) -> tuple[StopDecision, list[MachineReading]]:
        """Return rank 0's wish and the readings of all ranks; every rank must make this call."""
        self._exchanged_at = step
        self._logged = False
        of_all = gather([wish, *reading.numbers()], device)
        return StopDecision(int(of_all[0][0])), [MachineReading(*rest) for _, *rest in of_all]
