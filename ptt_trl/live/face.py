"""The sink that people look at, whatever they look at it through."""

from __future__ import annotations

from typing import Protocol

from post_training_toolkit.engine.event import Event
from post_training_toolkit.ptt_trl.narration import Alarm, Closing, Narrator
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart


class Medium(Protocol):
    """Where a face shows things: lines, panels, or a notebook."""

    def remark(self, text: str) -> None:
        """Show one sentence."""

    def alarm(self, alarm: Alarm) -> None:
        """Show an insight."""

    def closing(self, closing: Closing) -> None:
        """Show what came of the run."""


class Face:
    """Shows a run through a medium, without repeating itself."""

    def __init__(self, medium: Medium) -> None:
        self.medium = medium
        self._narrator = Narrator()

    def begin(self, start: RunStart) -> None:
        """Greet the user."""
        self.medium.remark(self._narrator.open(start).text)

    def note(self, text: str) -> None:
        """Show one note."""
        self.medium.remark(text)

    def show(self, event: Event) -> None:
        """Show what happened to an insight, if it is worth it."""
        told = self._narrator.tell(event)
        if isinstance(told, Alarm):
            self.medium.alarm(told)
        elif told is not None:
            self.medium.remark(told.text)

    def end(self, ending: RunEnding) -> None:
        """Say what came of the run and where the report is."""
        self.medium.closing(self._narrator.close(ending))
