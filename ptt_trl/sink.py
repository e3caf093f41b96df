"""What every place that is told about a run has in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from post_training_toolkit.engine.event import Episode, Event
from post_training_toolkit.ptt_trl.stop import StopOutcome


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is told when a run begins: its trainer, None if not known, and where its files are.

    ``resumed_at`` is the step of the checkpoint that it continues from, None for a fresh run.
    """

    trainer: str | None
    directory: Path
    resumed_at: int | None = None


@dataclass(frozen=True, slots=True)
class RunEnding:
    """What is told when a run ends: ``status`` is "completed", "stopped" or "crashed".

    ``episodes`` are its insights, worst first, consequences included. ``report`` is None if it
    could not be written. ``error`` is what the run died of, and ``postmortem`` where that stands;
    None for one that did not.
    """

    status: str
    step: int
    episodes: tuple[Episode, ...]
    stop: StopOutcome | None
    report: Path | None
    error: str | None = None
    postmortem: Path | None = None


class Sink(Protocol):
    """Takes what happens to a run to where people or machines look.

    Each call runs in containment of its own, so a sink may raise; it is called on rank 0 only.
    """

    def begin(self, start: RunStart) -> None:
        """Take in that training begins."""

    def show(self, event: Event) -> None:
        """Take in what happened to an insight."""

    def note(self, text: str) -> None:
        """Take in a sentence for the user that is no insight, such as the seam of a resume."""

    def end(self, ending: RunEnding) -> None:
        """Take in that training has ended, and flush."""
