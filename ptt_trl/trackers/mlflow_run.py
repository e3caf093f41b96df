"""MLflow: tags and metrics of the run that the trainer opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow import MlflowClient
from transformers import Trainer

from post_training_toolkit.ptt_trl.narration import Alarm
from post_training_toolkit.ptt_trl.trackers.tracker import NoActiveRunError, Tracker, alert_text
from post_training_toolkit.rules.severity import Severity

# What MLflow's own servers take of a tag's value.
_MOST_CHARACTERS = 5000


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run by its id: it can be written to after the trainer's callback has ended it."""

    client: MlflowClient
    run_id: str

    def alert(self, alarm: Alarm, step: int) -> None:
        """Set a tag with the newest insight of this rule."""
        self._tag(f"ptt.insight.{alarm.rule}", f"{alarm.headline}: {alert_text(alarm)}")

    def count(self, held: Mapping[Severity, int], step: int) -> None:
        """Log how many insights hold."""
        for severity, number in held.items():
            self.client.log_metric(self.run_id, f"ptt.holding_{severity}", number, step=step)

    def conclude(self, summary: Mapping[str, int | str]) -> None:
        """Set tags that say how the run ended."""
        for name, value in summary.items():
            self._tag(f"ptt.{name}", str(value))

    def fail(self) -> None:
        """End the run as failed; it would stay "Running" for ever."""
        active = mlflow.active_run()
        if active is not None and active.info.run_id == self.run_id:
            # So that the next training in this process does not go on in it.
            mlflow.end_run("FAILED")
        else:
            self.client.set_terminated(self.run_id, "FAILED")

    def _tag(self, key: str, value: str) -> None:
        self.client.set_tag(self.run_id, key, value[:_MOST_CHARACTERS])


def open_tracker(trainer: Trainer | None) -> Tracker:
    """Return the active run; raises ``NoActiveRunError``."""
    run = mlflow.active_run()
    if run is None:
        raise NoActiveRunError("MLflow has no active run in this process")
    return MlflowRun(MlflowClient(), run.info.run_id)
