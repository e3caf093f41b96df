"""The database of a Trackio project is read without the package."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.choose import open_recording
from post_training_toolkit.engine.readers.recording import RecordingError

ARGUMENTS = {"beta": 0.1, "max_steps": 30, "logging_steps": 10}


def _rows(path: Path, run: str | None = None) -> list[tuple[int, dict[str, float | str | None]]]:
    entries = open_recording(path, run=run).entries
    return [(each.step, each.row.to_json()) for each in entries if isinstance(each, LoggedRow)]


def _problem(path: Path, run: str | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        list(open_recording(path, run=run).entries)
    return str(caught.value)


def _trackio(folder: Path, runs: Mapping[str, Iterable[tuple[int, Any]]]) -> Path:
    """Write a database with the tables of Trackio 0.43 that hold runs."""
    path = folder / "project.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, "
            "timestamp TEXT NOT NULL, run_name TEXT NOT NULL, step INTEGER NOT NULL, "
            "metrics TEXT NOT NULL, log_id TEXT, space_id TEXT)"
        )
        database.execute(
            "CREATE TABLE configs (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, "
            "run_name TEXT NOT NULL, config TEXT NOT NULL, created_at TEXT NOT NULL, "
            "UNIQUE(run_id))"
        )
        for name, rows in runs.items():
            configuration = json.dumps({**ARGUMENTS, "_Username": None}).encode()
            database.execute(
                "INSERT INTO configs (run_id, run_name, config, created_at) VALUES (?, ?, ?, '')",
                (name, name, configuration),
            )
            for step, logged in rows:
                metrics = logged if isinstance(logged, bytes) else json.dumps(logged).encode()
                database.execute(
                    "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) "
                    "VALUES (?, '', ?, ?, ?)",
                    (name, name, step, metrics),
                )
        database.commit()
    return path


def test_the_run_of_a_trackio_project_is_read_with_its_configuration(tmp_path: Path) -> None:
    rows = [
        (0, {"train/loss": "NaN", "train/global_step": 10}),
        (1, {"eval/loss": 0.5, "train/global_step": 10}),
    ]
    path = _trackio(tmp_path, {"a": rows})
    run = open_recording(path).run
    assert (run.configuration, run.max_steps, run.logging_steps) == (ARGUMENTS, 30, 10)
    assert _rows(path) == [(10, {"loss": "NaN"}), (10, {"eval_loss": 0.5})]


def test_one_of_several_runs_is_chosen_by_name(tmp_path: Path) -> None:
    path = _trackio(tmp_path, {"b": [(1, {"loss": 1})], "a": [(2, {"loss": 2})]})
    assert _rows(path, run="a") == [(2, {"loss": 2.0})]
    assert _problem(path) == f"{path}: several runs; choose one with --run: b, a"
    assert _problem(path, run="aa") == f"{path}: no run 'aa'; did you mean 'a'?"


def test_a_database_of_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    assert _problem(path) == f"{path}: no Trackio database (no such table: metrics)"
    assert _problem(_trackio(tmp_path, {})) == f"{tmp_path}/project.db: no run"


@pytest.mark.parametrize(
    ("logged", "problem"),
    [(b"{", "not valid JSON ("), (b"[]", "expected an object"), ({"step": "x"}, "the step 'x' is")],
)
def test_a_broken_row_of_a_database_is_told(tmp_path: Path, logged: Any, problem: str) -> None:
    path = _trackio(tmp_path, {"a": [(0, {"loss": 1}), (1, logged)]})
    assert _problem(path).startswith(f"{path}: metrics row 2: {problem}")
