"""Reads trainer_state.json, which the transformers Trainer writes into every checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.readers.tracker_row import whole_step

TRAINER_STATE = "trainer_state.json"
HISTORY = "log_history"
_LENGTHS = ("max_steps", "logging_steps")


def read_trainer_state(path: Path) -> Recording:
    """Read the log history; the file also says how long the run was to be and how often it logs.

    Raises ``RecordingError``.
    """
    try:
        state = parse_json(path.read_bytes())
    except ValueError as error:
        raise RecordingError(f"{path}: not valid JSON ({error})") from None
    history = state.get(HISTORY) if isinstance(state, dict) else None
    if not isinstance(history, list):
        raise RecordingError(
            f"{path}: no trainer state; expected an object with a list {HISTORY!r}, "
            "as the Trainer writes it into each checkpoint"
        )
    # These are facts of the training, the arguments themselves are in another file.
    lengths = run_from_arguments({key: state[key] for key in _LENGTHS if key in state})
    return Recording(_entries(path, history, state.get("global_step"), lengths.max_steps), lengths)


def _entries(
    path: Path, history: list[Any], global_step: object, max_steps: int | None
) -> Iterator[MetricsEntry]:
    for index, entry in enumerate(history):
        try:
            yield _row(entry)
        except ValueError as error:
            raise RecordingError(f"{path}: {HISTORY}[{index}]: {error}") from None
    if max_steps is not None and global_step == max_steps:
        yield Milestone("train_end", max_steps)


def _row(entry: object) -> LoggedRow:
    if not isinstance(entry, Mapping) or "step" not in entry:
        raise ValueError("no logged row; expected an object with 'step'")
    row = admit({key: value for key, value in entry.items() if key != "step"})
    return LoggedRow(whole_step(entry["step"]), row.values.get("epoch"), row)
