"""HTML blocks under the cell of a notebook."""

from __future__ import annotations

from html import escape

from IPython.display import display

from post_training_toolkit.ptt_trl.narration import Alarm, Closing
from post_training_toolkit.rules.severity import Severity

# Each is readable under white text, and as a line on white and on black.
_COLOURS = {
    Severity.LOW: "#3b6fb5",
    Severity.MEDIUM: "#a35f00",
    Severity.HIGH: "#c62f2f",
    Severity.CRITICAL: "#a3195b",
}
_SOUND = "#2e7d46"
_QUIET = "#808080"


class NotebookBlocks:
    """Displays one block for each thing told, below the trainer's own table.

    Text and background are those of the notebook's theme. Beside the HTML each block holds plain
    text, for places that show no HTML.
    """

    def remark(self, text: str) -> None:
        """Display one sentence."""
        _display(_QUIET, [f"<b>ptt</b> {escape(text)}"], f"[ptt] {text}")

    def alarm(self, alarm: Alarm) -> None:
        """Display an insight; remedies and sources are folded in."""
        colour = _COLOURS[alarm.severity]
        lines = [
            f"{_badge(alarm.headline, colour)} {escape(alarm.message)}",
            f"rule: <code>{escape(alarm.rule)}</code>",
            _folded("What to do", alarm.remediation),
            _folded("Sources", alarm.citations),
        ]
        _display(colour, lines, f"[ptt] {alarm.headline}: {alarm.message} (rule {alarm.rule})")

    def closing(self, closing: Closing) -> None:
        """Display the counts, the stop, and where the report is."""
        colour = _COLOURS[closing.counts[0][0]] if closing.counts else _SOUND
        title = f"{closing.status} at step {closing.step}"
        said = [
            closing.insights,
            *([closing.early_end] if closing.early_end else []),
            closing.where,
        ]
        lines = [f"{_badge(title, colour)} {escape(said[0])}", *map(escape, said[1:])]
        _display(colour, lines, f"[ptt] {title}: {' | '.join(said)}")


def _display(colour: str, lines: list[str], plain: str) -> None:
    style = f"border-left: 4px solid {colour}; padding: 2px 0 2px 10px; margin: 4px 0"
    rows = "".join(f"<div>{line}</div>" for line in lines if line)
    html = f'<div class="ptt" style="{style}">{rows}</div>'
    display({"text/html": html, "text/plain": plain}, raw=True)  # type: ignore[no-untyped-call]


def _badge(text: str, colour: str) -> str:
    style = f"background: {colour}; color: #fff; border-radius: 3px; padding: 0 6px"
    return f'<span style="{style}">{escape(text)}</span>'


def _folded(summary: str, items: tuple[str, ...]) -> str:
    if not items:
        return ""
    rows = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<details><summary>{summary}</summary><ul>{rows}</ul></details>"
