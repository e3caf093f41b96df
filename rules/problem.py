"""What is wrong in a user's rule file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

INVALID = "invalid"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One located mistake in a rule file; lines and columns count from 1.

    ``code`` names the kind of mistake; lint findings have codes of their own.

    >>> print(Problem("my.yaml", 3, 5, "a_rule", "unknown key 'treshold'"))
    my.yaml:3:5: rule 'a_rule': unknown key 'treshold'
    """

    file: str
    line: int
    column: int
    rule: str | None
    message: str
    code: str = INVALID

    def __str__(self) -> str:
        rule = f"rule {self.rule!r}: " if self.rule is not None else ""
        return f"{self.file}:{self.line}:{self.column}: {rule}{self.message}"


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
