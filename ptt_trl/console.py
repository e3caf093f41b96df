"""Shows insights while the progress bar runs."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

from tqdm import tqdm

from post_training_toolkit.engine.event import (
    Episode,
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart

_PREFIX = "[ptt] "
_INDENT = " " * len(_PREFIX)
_MIN_WIDTH = 60
_MAX_WIDTH = 120


class Console:
    """Writes plain lines past progress bars, so that neither breaks the other."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        # Insights that were not shown because their root cause was.
        self._consequences: set[str] = set()

    def begin(self, start: RunStart) -> None:
        """Greet the user."""
        files = f"files in {start.directory}"
        if start.trainer is None:
            note = "its trainer is not known, so only the rules for every trainer apply"
            self.note(f"watching this run; {note}; {files}")
        else:
            again = f"resumed at step {start.resumed_at}; " if start.resumed_at is not None else ""
            self.note(f"watching this {start.trainer.upper()} run; {again}{files}")

    def note(self, text: str) -> None:
        """Write one note, wrapped to the terminal."""
        self._write([(_PREFIX, text)])

    def end(self, ending: RunEnding) -> None:
        """Say what came of the run and where the report is."""
        came_of_it = str(ending.stop) if ending.stop else f"{_summary(ending.episodes)};"
        report = ending.report
        where = f"report: {report}" if report is not None else "the report could not be written"
        self.note(f"{came_of_it} {where}")

    def show(self, event: Event) -> None:
        """Write what happened to an insight: one paragraph when it fires, one line when it ends.

        A consequence of an insight that is already shown is not: it would say the same again.
        """
        match event:
            case InsightFired(caused_by=str()):
                self._consequences.add(event.insight)
            case InsightFolded():
                self._consequences.add(event.insight)
                self.note(f"{event.rule} follows from {event.caused_by}")
            case _ if event.insight in self._consequences:
                pass
            case InsightEscalated():
                text = f"now {event.severity.upper()} at step {event.step}: {event.message}"
                self._write([(_PREFIX, text), (f"{_INDENT}rule: ", event.rule)])
            case InsightFired():
                headline = f"{event.severity.upper()} at step {event.step}: {event.message}"
                self._write([(_PREFIX, headline), *self._background(event)])
            case InsightClosed(resolved=True):
                held = f"it held from step {event.first_step} to {event.last_step}"
                self.note(f"resolved at step {event.step}: {event.rule} ({held})")
            case InsightClosed():
                self.note(f"{event.rule} still held when the run ended")

    def _background(self, event: InsightFired) -> list[tuple[str, str]]:
        """Return rule, remedies and sources; of a rule that was told before, only its name."""
        lines = [(f"{_INDENT}rule: ", event.rule)]
        if event.rule not in self._told:
            self._told.add(event.rule)
            lines += [(f"{_INDENT}do: ", advice) for advice in event.remediation]
            lines += [(f"{_INDENT}source: ", citation) for citation in event.citations]
        return lines

    def _write(self, paragraphs: list[tuple[str, str]]) -> None:
        width = min(max(shutil.get_terminal_size().columns - 1, _MIN_WIDTH), _MAX_WIDTH)
        lines: list[str] = []
        for lead, text in paragraphs:
            lines += textwrap.wrap(
                text,
                width,
                initial_indent=lead,
                subsequent_indent=" " * len(lead),
                break_long_words=False,
                break_on_hyphens=False,
            )
        tqdm.write("\n".join(lines))


def _summary(found: Iterable[Episode]) -> str:
    roots = [episode for episode in found if episode.caused_by is None]
    if not roots:
        return "no insights"
    plural = "" if len(roots) == 1 else "s"
    return f"{len(roots)} insight{plural}, the worst of severity {roots[0].severity}"
