"""Reads the SQLite database in which Trackio keeps the runs of a project."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.readers.tracker_row import StepFinder, tracker_row, with_end
from post_training_toolkit.rules.suggestion import did_you_mean

SQLITE_MARK = b"SQLite format 3\0"


def read_trackio(path: Path, run: str | None = None) -> Recording:
    """Read one run of a project, named by ``run`` if there are several.

    Raises ``RecordingError``.
    """
    name = _choose_run(path, run)
    query = "SELECT config FROM configs WHERE run_name = ? ORDER BY id"
    configuration: dict[str, Any] = {}
    for number, (text,) in enumerate(_select(path, query, name), start=1):
        configuration |= _parse(path, f"configuration {number} of run {name!r}", text)
    # Trackio's own entries begin with an underscore.
    arguments = {key: value for key, value in configuration.items() if not key.startswith("_")}
    return Recording(with_end(_rows(path, name)), run_from_arguments(arguments))


def _choose_run(path: Path, run: str | None) -> str:
    query = "SELECT run_name FROM metrics GROUP BY run_name ORDER BY min(id)"
    names = [str(name) for (name,) in _select(path, query)]
    if run is not None and run not in names:
        raise RecordingError(f"{path}: no run {run!r}{did_you_mean(run, names)}")
    if run is None and len(names) != 1:
        what = f"several runs; choose one with --run: {', '.join(names)}" if names else "no run"
        raise RecordingError(f"{path}: {what}")
    return run if run is not None else names[0]


def _rows(path: Path, name: str) -> Iterator[LoggedRow]:
    steps = StepFinder()
    query = "SELECT id, step, metrics FROM metrics WHERE run_name = ? ORDER BY id"
    for number, counter, text in _select(path, query, name):
        place = f"metrics row {number}"
        logged = _parse(path, place, text)
        try:
            row = tracker_row(steps.find(logged, counter), logged)
        except ValueError as error:
            raise RecordingError(f"{path}: {place}: {error}") from None
        if row is not None:
            yield row


def _select(path: Path, query: str, *values: str) -> Iterator[tuple[Any, ...]]:
    try:
        # Read only: looking at a run must not create or lock anything.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield from database.execute(query, values)
    except sqlite3.Error as error:
        raise RecordingError(f"{path}: no Trackio database ({error})") from None


def _parse(path: Path, place: str, text: bytes | str) -> dict[str, Any]:
    try:
        data = parse_json(text)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: {place}: not valid JSON ({error})") from None
    if not isinstance(data, dict):
        raise RecordingError(f"{path}: {place}: expected an object")
    return data
