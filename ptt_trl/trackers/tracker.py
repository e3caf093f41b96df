"""What every tracker is told of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from transformers import Trainer

from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.ptt_trl.narration import Alarm, Narrator
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.rules.severity import Severity


class NoActiveRunError(RuntimeError):
    """The trainer reports to a tracker that has no run open."""


class Tracker(Protocol):
    """One run in a tracker."""

    def alert(self, alarm: Alarm, step: int) -> None:
        """Send an insight to whoever watches the run."""

    def count(self, held: Mapping[Severity, int], step: int) -> None:
        """Take in how many insights of each severity hold now."""

    def conclude(self, summary: Mapping[str, int | str]) -> None:
        """Take in how the run ended; the trainer's own callback may have closed it already."""

    def fail(self) -> None:
        """Close the run as failed: the trainer's own callback is not told that it died."""


class TrackerSink:
    """Tells a tracker of insights, as often as a person wants to hear of them."""

    def __init__(
        self, open_tracker: Callable[[Trainer | None], Tracker], trainer: Trainer | None
    ) -> None:
        self._open = open_tracker
        self._trainer = trainer
        self._tracker: Tracker | None = None
        self._narrator = Narrator()
        # The severity of each root cause that holds now.
        self._holding: dict[str, Severity] = {}

    def begin(self, start: RunStart) -> None:
        """Find the run that the trainer's own callback has opened."""
        self._tracker = self._open(self._trainer)
        # Held any longer, the trainer and its model would outlive the run in a notebook.
        self._trainer = None

    def note(self, text: str) -> None:
        """Leave notes to the console."""

    def show(self, event: Event) -> None:
        """Send what is worth an alert, and how many insights hold now."""
        told = self._narrator.tell(event)
        counted = self._take_in(event)
        # Whatever failed to open said so then.
        if self._tracker is None:
            return
        if isinstance(told, Alarm):
            self._tracker.alert(told, event.step)
        if counted:
            held = Counter(self._holding.values())
            self._tracker.count({each: held[each] for each in Severity}, event.step)

    def end(self, ending: RunEnding) -> None:
        """Send how the run ended."""
        if self._tracker is not None:
            self._tracker.conclude(_summary(ending))
            if ending.postmortem is not None:
                self._tracker.fail()

    def _take_in(self, event: Event) -> bool:
        """Return whether the event changed what holds; a consequence never does."""
        match event:
            case InsightFired(caused_by=None):
                self._holding[event.insight] = event.severity
                return True
            case InsightEscalated() if event.insight in self._holding:
                self._holding[event.insight] = event.severity
                return True
            case InsightFolded() | InsightClosed():
                return self._holding.pop(event.insight, None) is not None
        return False


def alert_text(alarm: Alarm) -> str:
    """Return message, rule and remedies as lines of text."""
    lines = [alarm.message, f"rule: {alarm.rule}", *(f"do: {each}" for each in alarm.remediation)]
    return "\n".join(lines)


def _summary(ending: RunEnding) -> dict[str, int | str]:
    found = Counter(each.severity for each in ending.episodes if each.caused_by is None)
    summary: dict[str, int | str] = {"status": ending.status, "insights": found.total()}
    summary |= {f"insights_{severity}": found[severity] for severity in Severity}
    if ending.stop is not None:
        summary["stopped_by"] = ending.stop.rule
        summary["stop"] = str(ending.stop)
    if ending.postmortem is not None:
        summary["error"] = ending.error or "unknown"
        summary["postmortem"] = str(ending.postmortem)
    if ending.report is not None:
        summary["report"] = str(ending.report)
    return summary
