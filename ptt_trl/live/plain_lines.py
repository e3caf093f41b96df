"""Plain lines, for log files and for terminals that can do no more."""

from __future__ import annotations

import shutil
import textwrap

from post_training_toolkit.ptt_trl.live.past_bars import write_past_bars
from post_training_toolkit.ptt_trl.narration import Alarm, Closing

_PREFIX = "[ptt] "
_INDENT = " " * len(_PREFIX)
_MIN_WIDTH = 60
_MAX_WIDTH = 120


class PlainLines:
    """Writes plain lines past progress bars, so that neither breaks the other."""

    def remark(self, text: str) -> None:
        """Write one sentence, wrapped to the terminal."""
        self._write([(_PREFIX, text)])

    def alarm(self, alarm: Alarm) -> None:
        """Write one paragraph, with a line for each remedy and source."""
        self._write(
            [
                (_PREFIX, f"{alarm.headline}: {alarm.message}"),
                (f"{_INDENT}rule: ", alarm.rule),
                *((f"{_INDENT}do: ", advice) for advice in alarm.remediation),
                *((f"{_INDENT}source: ", citation) for citation in alarm.citations),
            ]
        )

    def closing(self, closing: Closing) -> None:
        """Write how it ended and where the report is."""
        came_of_it = closing.early_end or f"{_summary(closing)};"
        self.remark(f"{came_of_it} {closing.where}")

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
        write_past_bars("".join(f"{line}\n" for line in lines))


def _summary(closing: Closing) -> str:
    if not closing.counts:
        return closing.insights
    total = sum(count for _, count in closing.counts)
    worst, _ = closing.counts[0]
    return f"{total} insight{'' if total == 1 else 's'}, the worst of severity {worst}"
