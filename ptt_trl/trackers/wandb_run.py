"""Weights & Biases: alerts, and a summary of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import wandb
from transformers import Trainer

from post_training_toolkit.ptt_trl.narration import Alarm
from post_training_toolkit.ptt_trl.trackers.tracker import NoActiveRunError, Tracker, alert_text
from post_training_toolkit.rules.severity import Severity

_LEVELS = {
    Severity.LOW: "INFO",
    Severity.MEDIUM: "WARN",
    Severity.HIGH: "ERROR",
    Severity.CRITICAL: "ERROR",
}


@dataclass(frozen=True, slots=True)
class WandbRun:
    """The run that is current in this process."""

    run: wandb.Run

    def alert(self, alarm: Alarm, step: int) -> None:
        """Send an alert; the narration bounds their number, so none is held back."""
        self.run.alert(
            title=f"{alarm.headline}: {alarm.rule}",
            text=alert_text(alarm),
            level=_LEVELS[alarm.severity],
            wait_duration=0,
        )

    def count(self, held: Mapping[Severity, int], step: int) -> None:
        """Keep the counts in the summary; a row of their own would shift the trainer's steps."""
        for severity, number in held.items():
            self.run.summary[f"ptt/holding_{severity}"] = number

    def conclude(self, summary: Mapping[str, int | str]) -> None:
        """Write how the run ended to its summary."""
        for name, value in summary.items():
            self.run.summary[f"ptt/{name}"] = value

    def fail(self) -> None:
        """Finish the run as failed, as W&B itself does where a script ends, but no notebook."""
        self.run.finish(exit_code=1)


def open_tracker(trainer: Trainer | None) -> Tracker:
    """Return the current run; raises ``NoActiveRunError``."""
    if wandb.run is None:
        raise NoActiveRunError("W&B has no run in this process: wandb.init was not called")
    return WandbRun(wandb.run)
