"""The table of docs/trainers.md: a row for each trainer, with what its test runs showed."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "trainers.md"


def row_of(first_cell: str) -> str | None:
    """Return the page's row that begins with a cell; None if there is none."""
    start = f"| {first_cell} |"
    return next((line for line in PAGE.read_text().splitlines() if line.startswith(start)), None)


def write_row(first_cell: str, row: str) -> None:
    """Put a row in the place of the one that begins with the same cell.

    Raises ``ValueError`` if the page has none.
    """
    old = row_of(first_cell)
    if old is None:
        raise ValueError(f"{PAGE.name} has no row for {first_cell}")
    PAGE.write_text(PAGE.read_text().replace(old, row))
