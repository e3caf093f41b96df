"""Reads the .wandb file that W&B writes for every run, online or offline.

Field numbers are those of wandb_internal.proto; the wandb package itself need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.record_blocks import BlockError, wandb_records
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.readers.tracker_row import StepFinder, tracker_row
from post_training_toolkit.engine.readers.wire_format import fields, integer, parts, text

# Fields of Record.
_HISTORY, _CONFIG, _RUN, _EXIT = 2, 5, 17, 18
# HistoryRecord.item, HistoryRecord.step, RunRecord.config and ConfigRecord.update.
_ITEM, _STEP, _RUN_CONFIG, _UPDATE = 1, 2, 4, 1
# Of an item: its key, the key as a path, and its value.
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16


def read_wandb(path: Path) -> Recording:
    """Read a run; its configuration stands in the same file. Raises ``RecordingError``."""
    return Recording(_entries(path), run_from_arguments(_configuration(path)))


def _configuration(path: Path) -> dict[str, Any]:
    """Return the configuration, which may come in parts anywhere before the end."""
    found: dict[str, Any] = {}
    for number, content in _records(path):
        for config in parts(content, _RUN_CONFIG) if number == _RUN else (content,):
            if number in (_RUN, _CONFIG):
                found |= _items(path, parts(config, _UPDATE))
    return {key: value for key, value in found.items() if not key.startswith("_")}


def _entries(path: Path) -> Iterator[MetricsEntry]:
    steps = StepFinder()
    latest = 0
    for number, content in _records(path):
        if number == _HISTORY:
            row = _history_row(path, content, steps)
            if row is not None:
                latest = row.step
                yield row
        elif number == _EXIT:
            # The exit code of the program is field 1.
            yield Milestone("exception" if integer(content, 1) else "train_end", latest)


def _history_row(path: Path, content: bytes, steps: StepFinder) -> LoggedRow | None:
    logged = _items(path, parts(content, _ITEM))
    counter = max((integer(each, 1) for each in parts(content, _STEP)), default=0)
    try:
        return tracker_row(steps.find(logged, counter), logged)
    except ValueError as error:
        raise RecordingError(f"{path}: row {counter} of the history: {error}") from None


def _items(path: Path, items: Iterator[bytes]) -> dict[str, Any]:
    found = {}
    for item in items:
        key = text(item, _KEY) or "/".join(_decode(part) for part in parts(item, _NESTED_KEY))
        try:
            found[key] = parse_json(text(item, _VALUE_JSON) or "null")
        except ValueError as error:
            raise RecordingError(f"{path}: value of {key!r}: not valid JSON ({error})") from None
    return found


def _decode(part: bytes) -> str:
    return part.decode("utf-8", "replace")


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield field number and content of what each record holds."""
    place = 0
    try:
        for place, record in wandb_records(path):  # noqa: B007 - told when it is broken
            for number, _, content in fields(record):
                if isinstance(content, bytes):
                    yield number, content
    except BlockError as error:
        raise RecordingError(f"{path}: {error}") from None
    except ValueError as error:
        raise RecordingError(f"{path}: at byte {place}: no W&B record ({error})") from None
