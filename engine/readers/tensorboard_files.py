"""Reads TensorBoard event files, as SummaryWriter of torch and tensorboardX writes them.

Field numbers are those of event.proto, summary.proto and tensor.proto of TensorFlow; the
tensorboard package itself need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.record_blocks import BlockError, tensorboard_records
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.readers.tracker_row import (
    tracker_row,
    trainer_key,
    whole_step,
    with_end,
)
from post_training_toolkit.engine.readers.wire_format import (
    WireError,
    fields,
    float32,
    float64,
    integer,
    parts,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.profile import EVAL_PREFIX

EVENT_FILES = "*tfevents*"
# Event.step, Event.summary; Summary.value.
_STEP, _SUMMARY, _VALUE = 2, 5, 1
# Of a value: its tag, a plain number, a tensor.
_TAG, _NUMBER, _TENSOR = 1, 2, 8
# Of a tensor: packed bytes, floats, doubles, texts.
_CONTENT, _FLOATS, _DOUBLES, _TEXTS = 4, 5, 6, 8
# Under this tag transformers writes the arguments of the trainer at the beginning.
_ARGUMENTS = "args/text_summary"
_LOOKED_AT = 20


def read_tensorboard(path: Path) -> Recording:
    """Read one event file, or those of a folder in the order of their names, which is by time.

    The scalars of one step that follow each other make one row. Raises ``RecordingError``.
    """
    files = sorted(path.glob(EVENT_FILES)) if path.is_dir() else [path]
    if not files:
        raise RecordingError(f"{path}: no file {EVENT_FILES} in this folder")
    return Recording(with_end(_rows(files)), _run(files[0]))


def _run(path: Path) -> RunDescription:
    for number, (_, tag, value) in enumerate(_values(path)):
        if tag == _ARGUMENTS and isinstance(value, bytes):
            try:
                arguments = parse_json(value)
            except ValueError:
                # Somebody else's text under this tag.
                break
            return run_from_arguments(arguments if isinstance(arguments, dict) else {})
        if number >= _LOOKED_AT:
            break
    return RunDescription()


def _rows(files: Sequence[Path]) -> Iterator[LoggedRow]:
    begun: dict[str, float] = {}
    place: tuple[int, bool] | None = None
    for path in files:
        for step, tag, value in _values(path):
            if isinstance(value, bytes):
                continue
            # A row never has a key twice, and evaluation rows are rows of their own.
            here = step, trainer_key(tag).startswith(EVAL_PREFIX)
            if place is not None and (here != place or tag in begun):
                yield from _row(place[0], begun)
                begun = {}
            place = here
            begun[tag] = value
    if place is not None:
        yield from _row(place[0], begun)


def _row(step: int, logged: dict[str, float]) -> Iterator[LoggedRow]:
    row = tracker_row(step, logged)
    if row is not None:
        yield row


def _values(path: Path) -> Iterator[tuple[int, str, float | bytes]]:
    """Yield step, tag and value of each summary that is a number or a text."""
    place = 0
    try:
        for place, record in tensorboard_records(path):  # noqa: B007 - told when it is broken
            step = whole_step(integer(record, _STEP))
            for summary in parts(record, _SUMMARY):
                for value in parts(summary, _VALUE):
                    tag, found = _value(value)
                    if found is not None:
                        yield step, tag, found
    except BlockError as error:
        raise RecordingError(f"{path}: {error}") from None
    except ValueError as error:
        raise RecordingError(f"{path}: at byte {place}: no TensorBoard event ({error})") from None


def _value(value: bytes) -> tuple[str, float | bytes | None]:
    tag = ""
    found: float | bytes | None = None
    for number, _, content in fields(value):
        if isinstance(content, int):
            continue
        if number == _TAG:
            tag = content.decode("utf-8", "replace")
        elif number == _NUMBER:
            found = float32(_exactly(content, 4))
        elif number == _TENSOR:
            found = _tensor(content)
    return tag, found


def _tensor(tensor: bytes) -> float | bytes | None:
    """Return the number or text of a tensor that holds a single one, otherwise None."""
    for number, _, content in fields(tensor):
        if isinstance(content, int):
            continue
        if number == _TEXTS:
            return content
        if number in (_FLOATS, _CONTENT) and len(content) == 4:
            return float32(content)
        if number in (_DOUBLES, _CONTENT) and len(content) == 8:
            return float64(content)
    return None


def _exactly(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise WireError(f"a number of {len(content)} bytes")
    return content
