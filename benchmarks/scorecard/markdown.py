"""Tables and cells of the generated page."""

from __future__ import annotations

from collections.abc import Sequence

NOTHING = "-"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table; the first ``left`` columns are aligned left, the others right.

    >>> print(markdown_table(["rule", "n"], [["a", "1"]]))
    | rule | n |
    |---|---:|
    | a | 1 |
    """
    marks = ["---"] * left + ["---:"] * (len(header) - left)
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    lines.insert(1, f"|{'|'.join(marks)}|")
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    """Return a part of a whole as a percentage with its counts.

    >>> share(3, 4), share(0, 0)
    ('75.0 % (3/4)', '-')
    """
    return f"{part / whole:.1%} ({part}/{whole})".replace("%", " %") if whole else NOTHING


def part_of(part: int, whole: int) -> str:
    """Return a part of a whole as counts, nothing where there is no whole.

    >>> part_of(0, 4), part_of(0, 0)
    ('0/4', '-')
    """
    return f"{part}/{whole}" if whole else NOTHING


def number(value: float | None, spec: str = "g") -> str:
    """Return a number, or a dash where there is none.

    >>> number(2.5), number(None), number(1 / 3, ".2f")
    ('2.5', '-', '0.33')
    """
    return NOTHING if value is None else format(value, spec)
