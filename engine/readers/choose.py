"""Opens a recorded run in whatever format it is kept."""

from __future__ import annotations

from pathlib import Path

from post_training_toolkit.engine.metrics_file import read_metrics
from post_training_toolkit.engine.readers.csv_file import read_csv
from post_training_toolkit.engine.readers.history_file import read_history
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.record_blocks import WANDB_MARK
from post_training_toolkit.engine.readers.recording import (
    Recording,
    RecordingError,
    RecordingFormat,
)
from post_training_toolkit.engine.readers.tensorboard_files import EVENT_FILES, read_tensorboard
from post_training_toolkit.engine.readers.trackio_database import SQLITE_MARK, read_trackio
from post_training_toolkit.engine.readers.trainer_state import TRAINER_STATE, read_trainer_state
from post_training_toolkit.engine.readers.wandb_file import read_wandb
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.run_files import METADATA_START, METRICS, RULES

_WANDB_FILES = "*.wandb"
_CSV_SUFFIXES = (".csv", ".tsv")
# How much of a file is looked at to tell its format; the first line of a log is shorter.
_LOOKED_AT = 1 << 16


def recording_format(path: Path) -> RecordingFormat:
    """Return the format of a file or folder, told by its content and then by its name.

    A folder without anything known counts as a run directory, whose reader says what it lacks.
    Raises ``RecordingError`` for a file that is nothing known.
    """
    if path.is_dir():
        return _format_of_folder(path)
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
    if head.startswith(SQLITE_MARK):
        return RecordingFormat.TRACKIO
    if head.startswith(WANDB_MARK):
        return RecordingFormat.WANDB
    if "tfevents" in path.name:
        return RecordingFormat.TENSORBOARD
    if path.suffix in _CSV_SUFFIXES:
        return RecordingFormat.CSV
    if path.name == TRAINER_STATE or path.suffix == ".json":
        return RecordingFormat.TRAINER_STATE
    if head.lstrip().startswith(b"{"):
        return _format_of_lines(head)
    if not head.strip():
        raise RecordingError(f"{path}: the file is empty")
    known = ", ".join(RecordingFormat)
    raise RecordingError(f"{path}: no format that is known; say which with --from: {known}")


def open_recording(
    path: Path, kept_as: RecordingFormat | None = None, run: str | None = None
) -> Recording:
    """Open a recorded run; ``run`` chooses among several in one file.

    A run directory is read by ``replay_run_directory``, which knows its rules too; its metrics
    alone can be opened here. Raises ``RecordingError``, as reading the entries does.
    """
    kept_as = kept_as or recording_format(path)
    if run is not None and kept_as not in (RecordingFormat.CSV, RecordingFormat.TRACKIO):
        raise RecordingError(f"{path}: holds one run, so --run {run!r} chooses nothing")
    match kept_as:
        case RecordingFormat.RUN_DIRECTORY:
            return Recording(read_metrics(path / METRICS), RunDescription())
        case RecordingFormat.METRICS:
            return Recording(read_metrics(path), RunDescription())
        case RecordingFormat.CSV:
            return read_csv(path, run)
        case RecordingFormat.TRACKIO:
            return read_trackio(path, run)
        case RecordingFormat.WANDB:
            return read_wandb(_inside(path, _WANDB_FILES))
        case RecordingFormat.TRAINER_STATE:
            return read_trainer_state(_inside(path, TRAINER_STATE))
        case RecordingFormat.TENSORBOARD:
            return read_tensorboard(path)
        case RecordingFormat.HISTORY:
            return read_history(path)


def _format_of_folder(folder: Path) -> RecordingFormat:
    if any((folder / name).exists() for name in (METADATA_START, METRICS, RULES)):
        return RecordingFormat.RUN_DIRECTORY
    inside = {
        TRAINER_STATE: RecordingFormat.TRAINER_STATE,
        EVENT_FILES: RecordingFormat.TENSORBOARD,
        _WANDB_FILES: RecordingFormat.WANDB,
    }
    for pattern, kept_as in inside.items():
        if any(folder.glob(pattern)):
            return kept_as
    return RecordingFormat.RUN_DIRECTORY


def _format_of_lines(head: bytes) -> RecordingFormat:
    """Tell our metrics lines from a history of flat rows and from one object over many lines."""
    try:
        first = parse_json(head.lstrip().partition(b"\n")[0])
    except ValueError:
        # Half an object: a trainer state under another name, if it is anything.
        return RecordingFormat.TRAINER_STATE
    is_entry = isinstance(first, dict) and ("logs" in first or "event" in first)
    return RecordingFormat.METRICS if is_entry else RecordingFormat.HISTORY


def _inside(path: Path, pattern: str) -> Path:
    """Return the only such file in a folder, or the path itself if it is a file."""
    if not path.is_dir():
        return path
    found = sorted(path.glob(pattern))
    if not found:
        raise RecordingError(f"{path}: no file {pattern} in this folder")
    if len(found) > 1:
        raise RecordingError(f"{path}: {len(found)} files {pattern}; name one of them")
    return found[0]
