"""How a run died, as far as that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from post_training_toolkit.rules.pattern import MOST_TEXT

_HEADING = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class Death:
    r"""The way in which a run ended before its time; what is not known is None or empty.

    ``exit_reason`` is a word such as ``exception`` or ``oom_killed``, ``signal`` a name such as
    ``SIGTERM``, ``text`` the traceback or whatever else was written. Of a longer text the last
    20,000 characters are kept, and what is no Unicode in it is replaced by question marks: a death
    that has been written to a file reads back equal.

    >>> Death("exception", text="RuntimeError: bad name \udcff").text
    'RuntimeError: bad name ?'
    """

    exit_reason: str
    signal: str | None = None
    exit_code: int | None = None
    text: str = ""

    def __post_init__(self) -> None:
        """Bring the text into the form in which it is kept."""
        kept = self.text[-MOST_TEXT:].encode("utf-8", "replace").decode("utf-8")
        object.__setattr__(self, "text", kept)

    @property
    def error(self) -> str:
        r"""The line of the last traceback that names its error, else the last line there is.

        It is the first line that is not indented, since errors of several lines end in advice.

        >>> text = "Traceback (most recent call last):\n  ...\nValueError: no rows\nRead on."
        >>> Death("exception", text=text).error
        'ValueError: no rows'
        """
        lines = [line.rstrip() for line in self.text.splitlines() if line.strip()]
        headings = [number for number, line in enumerate(lines) if line == _HEADING]
        behind = lines[headings[-1] + 1 :] if headings else ()
        named = next((line for line in behind if not line.startswith(" ")), None)
        return named or (lines[-1].strip() if lines else "")

    def to_json(self) -> dict[str, Any]:
        """Return the object that a line of metrics.jsonl holds."""
        return {
            "exit_reason": self.exit_reason,
            "signal": self.signal,
            "exit_code": self.exit_code,
            "text": self.text,
        }


@dataclass(slots=True)
class PostMortem:
    """Where the engine leaves the death of its run for the rules that judge it."""

    death: Death | None = None


def read_death(data: object) -> Death:
    """Return the death that ``to_json`` gave; raises ``TypeError`` for anything else.

    >>> read_death({"exit_reason": "oom_killed", "signal": "SIGKILL"})
    Death(exit_reason='oom_killed', signal='SIGKILL', exit_code=None, text='')
    """
    if not isinstance(data, dict) or not isinstance(data.get("exit_reason"), str):
        raise TypeError("'death' must be an object with 'exit_reason'")
    signal, exit_code, text = data.get("signal"), data.get("exit_code"), data.get("text", "")
    if not isinstance(signal, str | None) or not isinstance(exit_code, int | None):
        raise TypeError("'signal' of a death must be a name, 'exit_code' a whole number")
    if not isinstance(text, str):
        raise TypeError("'text' of a death must be text")
    return Death(data["exit_reason"], signal, exit_code, text)
