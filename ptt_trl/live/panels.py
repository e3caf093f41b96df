"""Compact panels above the progress bar of a terminal."""

from __future__ import annotations

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from post_training_toolkit.ptt_trl.live.past_bars import write_past_bars
from post_training_toolkit.ptt_trl.narration import Alarm, Closing
from post_training_toolkit.rules.severity import Severity

_MAX_WIDTH = 100
# The named colours of the terminal, which its theme keeps readable, be it light or dark.
_COLOURS = {
    Severity.LOW: "blue",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}
_SOUND = "green"


class Panels:
    """Writes panels past progress bars of tqdm and of rich; sentences stay single lines."""

    def remark(self, text: str) -> None:
        """Write one sentence after the name of the toolkit."""
        # A path longer than the terminal stays one word, so that it can be copied.
        line = _lead("ptt ", text, style="bold")
        line.overflow = "ignore"
        self._write(Group(line))

    def alarm(self, alarm: Alarm) -> None:
        """Write a panel with the message, the rule, and what to do if that is new."""
        lines = [Text(alarm.message), _lead("rule: ", alarm.rule)]
        lines += [_lead("do: ", advice) for advice in alarm.remediation]
        lines += [_lead("source: ", citation) for citation in alarm.citations]
        self._write(_panel(alarm.headline, lines, _COLOURS[alarm.severity]))

    def closing(self, closing: Closing) -> None:
        """Write a panel with the counts, the stop, and where the report is."""
        lines = [Text(closing.insights)]
        if closing.early_end is not None:
            lines.append(Text(closing.early_end))
        colour = _COLOURS[closing.counts[0][0]] if closing.counts else _SOUND
        self._write(_panel(f"{closing.status} at step {closing.step}", lines, colour))
        self.remark(closing.where)

    def _write(self, shown: Panel | Group) -> None:
        # A new one each time, since the terminal may have been resized; it looks through the
        # stand-in for stdout that a live display of rich leaves there.
        console = Console(highlight=False)
        with console.capture() as written:
            console.print(shown, width=min(console.width, _MAX_WIDTH), crop=False)
        write_past_bars(written.get())


def _panel(title: str, lines: list[Text], colour: str) -> Panel:
    heading = Text(f"ptt {title}", style=colour)
    return Panel(Group(*lines), title=heading, title_align="left", border_style=colour)


def _lead(lead: str, text: str, *, style: str = "dim") -> Text:
    return Text.assemble((lead, style), text)
