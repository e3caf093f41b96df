"""Trackio: alerts on the run that the trainer opened."""

from __future__ import annotations

from collections.abc import Mapping

import trackio
from trackio.context_vars import current_run
from transformers import Trainer

from post_training_toolkit.ptt_trl.narration import Alarm
from post_training_toolkit.ptt_trl.trackers.tracker import NoActiveRunError, Tracker, alert_text
from post_training_toolkit.rules.severity import Severity

_LEVELS = {
    Severity.LOW: trackio.AlertLevel.INFO,
    Severity.MEDIUM: trackio.AlertLevel.WARN,
    Severity.HIGH: trackio.AlertLevel.ERROR,
    Severity.CRITICAL: trackio.AlertLevel.ERROR,
}


class TrackioRun:
    """The run that is current in this process.

    Trackio has alerts and rows, but no summary of a run; a row of counts would stand between the
    trainer's own and shift their steps.
    """

    def alert(self, alarm: Alarm, step: int) -> None:
        """Send an alert."""
        trackio.alert(
            title=f"{alarm.headline}: {alarm.rule}",
            text=alert_text(alarm),
            level=_LEVELS[alarm.severity],
        )

    def count(self, held: Mapping[Severity, int], step: int) -> None:
        """Leave counts out."""

    def conclude(self, summary: Mapping[str, int | str]) -> None:
        """Leave the end out; the run is closed by then."""

    def fail(self) -> None:
        """Finish the run, which has no status: what was sent last would be lost."""
        trackio.finish()  # type: ignore[no-untyped-call]


def open_tracker(trainer: Trainer | None) -> Tracker:
    """Return the current run; raises ``NoActiveRunError``."""
    if current_run.get() is None:
        raise NoActiveRunError("Trackio has no run in this process: trackio.init was not called")
    return TrackioRun()
