"""The table of docs/crashes.md: a row for each way to die, with what its test showed."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "crashes.md"


def hold_row(cells: list[str], milliseconds: float) -> None:
    """Compare a row with the page, all but its last cell, which is a time.

    With PTT_WRITE_PAGES set the page is written instead: `make crashes-page`. Raises
    ``AssertionError`` if it is not as it should be.
    """
    start = f"| {cells[0]} |"
    row = "| " + " | ".join(cells) + " | "
    lines = PAGE.read_text().splitlines()
    [old] = [line for line in lines if line.startswith(start)]
    if os.environ.get("PTT_WRITE_PAGES"):
        PAGE.write_text(PAGE.read_text().replace(old, f"{row}{milliseconds:.0f} |"))
    else:
        assert old.startswith(row), f"make crashes-page: {row} in place of {old}"
