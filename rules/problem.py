"""What is wrong in a user's rule file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from post_training_toolkit.rules.printable import printable

INVALID = "invalid"
# A message quotes the file, which may hold a word of a million letters.
_MAX_MESSAGE = 600
_MAX_NAME = 80


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One located mistake in a rule file; lines and columns count from 1.

    ``code`` names the kind of mistake; lint findings have codes of their own. A message is one line
    of bounded length, whatever it quotes.

    >>> print(Problem("my.yaml", 3, 5, "a_rule", "unknown key 'treshold'"))
    my.yaml:3:5: rule 'a_rule': unknown key 'treshold'
    """

    file: str
    line: int
    column: int
    rule: str | None
    message: str
    code: str = INVALID

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(_shorten(self.message, _MAX_MESSAGE)))
        if self.rule is not None:
            object.__setattr__(self, "rule", _shorten(self.rule, _MAX_NAME))

    def __str__(self) -> str:
        rule = f"rule {self.rule!r}: " if self.rule is not None else ""
        return f"{self.file}:{self.line}:{self.column}: {rule}{self.message}"


def _shorten(text: str, length: int) -> str:
    """Cut the middle out of a text that is too long.

    >>> _shorten("abcdefghij", 7)
    'ab...ij'
    """
    if len(text) <= length:
        return text
    kept = (length - 3) // 2
    return f"{text[:kept]}...{text[-kept:]}"


class InvalidRulesError(ValueError):
    """Rule files cannot be used; ``problems`` holds every mistake found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # A dict keeps the order of the files; the sort inside it is by position.
        by_file: dict[str, list[Problem]] = {}
        for problem in problems:
            by_file.setdefault(problem.file, []).append(problem)
        self.problems = tuple(
            problem
            for found in by_file.values()
            for problem in sorted(found, key=lambda each: (each.line, each.column))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))
