"""Reads CSV: one row a logged step, one column a metric, as pandas and W&B's web page write it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.csv_columns import CsvColumns, find_columns
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.tracker_row import tracker_row, whole_step, with_end
from post_training_toolkit.engine.run import RunDescription

_NULL_WORDS = ("null", "none")


def read_csv(path: Path, run: str | None = None) -> Recording:
    """Read a table; an empty cell was not logged, ``None`` and ``null`` were logged as null.

    ``run`` chooses among the runs of an export that holds several. The entries raise
    ``RecordingError``.
    """
    return Recording(with_end(_rows(path, run)), RunDescription())


def _rows(path: Path, run: str | None) -> Iterator[LoggedRow]:
    # utf-8-sig also takes the mark that spreadsheets put before the header.
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
        try:
            header = [name.strip() for name in next(lines, [])]
            columns = find_columns(header, run)
            step = 0
            for cells in lines:
                if not cells:
                    continue
                step, row = _row(cells, len(header), columns, step)
                if row is not None:
                    yield row
        except (ValueError, csv.Error) as error:
            # The file is read ahead of the decoder, so that only the line before is certain.
            number = max(lines.line_num, 1)
            reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            raise RecordingError(f"{path}:{number}: {reason}") from None


def _row(
    cells: Sequence[str], width: int, columns: CsvColumns, before: int
) -> tuple[int, LoggedRow | None]:
    """Return the step and the row; a row without a step belongs to the step before it."""
    if len(cells) != width:
        raise ValueError(f"{len(cells)} cells under a header of {width}")
    cell = cells[columns.step].strip()
    step = whole_step(cell) if cell else before
    logged = {name: _value(cells[index]) for index, name in columns.metrics if cells[index]}
    return step, tracker_row(step, logged)


def _value(cell: str) -> Any:
    """Return the number in a cell, None for the words that mean null, otherwise the text."""
    try:
        return float(cell)
    except ValueError:
        return None if cell.strip().lower() in _NULL_WORDS else cell
