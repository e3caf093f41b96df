"""What is wrong with a record of a trace, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class TraceProblem:
    """One record that cannot be read.

    ``line`` counts from 1; None where the file has no lines to speak of. ``place`` says more about
    where it is, such as an episode or a field.

    >>> print(TraceProblem("runs.jsonl", 7, "no JSON: unexpected end of data", "episode 'ep_1'"))
    runs.jsonl:7: episode 'ep_1': no JSON: unexpected end of data
    """

    source: str
    line: int | None
    message: str
    place: str = ""

    def __str__(self) -> str:
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        return (
            f"{where}: {self.place}: {self.message}" if self.place else f"{where}: {self.message}"
        )


class TraceError(ValueError):
    """Traces cannot be used as they are; ``problems`` holds every one that was found."""

    def __init__(self, problems: Sequence[TraceProblem], advice: str = "") -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        left = len(self.problems) - _MOST_SHOWN
        if left > 0:
            lines.append(f"... and {left} more")
        if advice:
            lines.append(advice)
        super().__init__("\n".join(lines))
