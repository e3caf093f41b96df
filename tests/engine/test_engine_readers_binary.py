"""Files of TensorBoard and W&B are read without these packages.

They are written here by the published formats.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.metrics_file import LoggedRow, Milestone
from post_training_toolkit.engine.readers.choose import open_recording
from post_training_toolkit.engine.readers.record_blocks import _masked_crc32c
from post_training_toolkit.engine.readers.recording import RecordingError, RecordingFormat
from post_training_toolkit.engine.readers.wire_format import WireError, fields, integer

ARGUMENTS = {"beta": 0.1, "max_steps": 30, "logging_steps": 10}


def _rows(path: Path, run: str | None = None) -> list[tuple[int, dict[str, float | str | None]]]:
    entries = open_recording(path, run=run).entries
    return [(each.step, each.row.to_json()) for each in entries if isinstance(each, LoggedRow)]


def _problem(path: Path, run: str | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        list(open_recording(path, run=run).entries)
    return str(caught.value)


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


# --- TensorBoard


def _record(event: bytes) -> bytes:
    size = struct.pack("<Q", len(event))
    return size + struct.pack("<I", _masked_crc32c(size)) + event + bytes(4)


def _summary(step: int, *values: bytes) -> bytes:
    return _record(_field(2, step) + _field(5, b"".join(_field(1, each) for each in values)))


def _plain(tag: str, number: float) -> bytes:
    return _field(1, tag) + _varint(2 << 3 | 5) + struct.pack("<f", number)


def _tensor(tag: str, tensor: bytes) -> bytes:
    return _field(1, tag) + _field(8, tensor)


def _events(folder: Path, *records: bytes, name: str = "events.out.tfevents.1.host") -> Path:
    path = folder / name
    path.write_bytes(_record(_field(3, "brain.Event:2")) + b"".join(records))
    return path


def test_scalars_of_one_step_make_one_row_and_evaluations_their_own(tmp_path: Path) -> None:
    path = _events(
        tmp_path,
        _summary(10, _plain("train/loss", 0.5)),
        _summary(10, _plain("train/rewards/margins", 0.25)),
        _summary(20, _plain("train/loss", float("nan")), _plain("train/grad_norm", 2.0)),
        _summary(20, _plain("eval/loss", 0.75)),
    )
    assert _rows(path) == [
        (10, {"loss": 0.5, "rewards/margins": 0.25}),
        (20, {"grad_norm": 2.0, "loss": "NaN"}),
        (20, {"eval_loss": 0.75}),
    ]


def test_a_value_that_comes_twice_at_a_step_begins_a_row(tmp_path: Path) -> None:
    loss = [_summary(1, _plain("loss", number)) for number in (0.5, 0.25)]
    assert _rows(_events(tmp_path, *loss)) == [(1, {"loss": 0.5}), (1, {"loss": 0.25})]


@pytest.mark.parametrize(
    "tensor",
    [
        _field(1, 1) + _field(5, struct.pack("<f", 0.5)),
        _field(1, 2) + _field(6, struct.pack("<d", 0.5)),
        _field(1, 1) + _field(4, struct.pack("<f", 0.5)),
        _field(1, 2) + _field(4, struct.pack("<d", 0.5)),
    ],
)
def test_a_scalar_may_be_a_tensor(tmp_path: Path, tensor: bytes) -> None:
    assert _rows(_events(tmp_path, _summary(1, _tensor("loss", tensor)))) == [(1, {"loss": 0.5})]


def test_the_arguments_that_the_trainer_writes_describe_the_run(tmp_path: Path) -> None:
    text = _field(1, 7) + _field(8, json.dumps(ARGUMENTS))
    path = _events(tmp_path, _summary(0, _tensor("args/text_summary", text)))
    run = open_recording(path).run
    assert (run.configuration, run.max_steps, run.logging_steps) == (ARGUMENTS, 30, 10)
    assert _rows(path) == []


def test_the_files_of_a_folder_follow_each_other_by_name(tmp_path: Path) -> None:
    _events(tmp_path, _summary(2, _plain("loss", 0.25)), name="events.out.tfevents.2.host")
    _events(tmp_path, _summary(1, _plain("loss", 0.5)), name="events.out.tfevents.1.host")
    assert _rows(tmp_path) == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]


def test_a_torn_last_event_ends_the_run(tmp_path: Path) -> None:
    path = _events(
        tmp_path, _summary(1, _plain("loss", 0.5)), _summary(2, _plain("loss", 0.5))[:-7]
    )
    assert _rows(path) == [(1, {"loss": 0.5})]


def test_a_damaged_event_is_told_with_its_place(tmp_path: Path) -> None:
    begin = _events(tmp_path).stat().st_size
    damaged = bytearray(_summary(1, _plain("loss", 0.5)))
    damaged[0] ^= 1
    path = _events(tmp_path, bytes(damaged))
    assert _problem(path) == f"{path}: at byte {begin}: damaged record"
    path = _events(tmp_path, _record(b"\x07"))
    assert _problem(path).startswith(f"{path}: at byte {begin}: no TensorBoard event (a field of")


def test_the_checksum_is_the_published_one() -> None:
    """RFC 3720, section B.4, gives 0x8a9136aa for 32 zeros; the mask is TensorFlow's."""
    crc = 0x8A91_36AA
    masked = ((crc >> 15 | crc << 17) + 0xA282_EAD8) & 0xFFFF_FFFF
    assert _masked_crc32c(bytes(32)) == masked


# --- W&B


def _chunk(content: bytes, kind: int = 1) -> bytes:
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + content), len(content), kind) + content


def _history(counter: int, logged: Mapping[str, Any], key: int = 1) -> bytes:
    items = b"".join(
        _field(1, _field(key, name) + _field(16, json.dumps(value)))
        for name, value in logged.items()
    )
    return _field(2, items + _field(2, _field(1, counter)))


def _configuration(values: Mapping[str, Any]) -> bytes:
    return b"".join(
        _field(1, _field(1, name) + _field(16, json.dumps(value))) for name, value in values.items()
    )


def _wandb(folder: Path, *chunks: bytes) -> Path:
    path = folder / "run-1.wandb"
    path.write_bytes(b":W&B\xe1\xbe\x00" + b"".join(chunks))
    return path


def test_the_history_and_the_configuration_of_a_wandb_file_are_read(tmp_path: Path) -> None:
    path = _wandb(
        tmp_path,
        _chunk(_field(17, _field(4, _configuration({"beta": 0.5, "_wandb": {}})))),
        _chunk(_history(0, {"train/global_step": 10, "train/loss": 0.5, "_runtime": 2.5})),
        _chunk(_field(5, _configuration({"beta": 0.1, "max_steps": 20}))),
        _chunk(_history(1, {"train/global_step": 20, "eval/loss": float("nan")}, key=2)),
    )
    run = open_recording(path).run
    assert (run.configuration, run.max_steps) == ({"beta": 0.1, "max_steps": 20}, 20)
    assert _rows(path) == [(10, {"loss": 0.5}), (20, {"eval_loss": "NaN"})]
    assert _rows(tmp_path) == _rows(path)


@pytest.mark.parametrize(("code", "event"), [(0, "train_end"), (1, "exception")])
def test_the_exit_code_tells_how_the_run_ended(tmp_path: Path, code: int, event: str) -> None:
    exit_record = _field(18, _field(1, code))
    path = _wandb(tmp_path, _chunk(_history(0, {"step": 7, "loss": 1})), _chunk(exit_record))
    assert list(open_recording(path).entries)[-1] == Milestone(event, 7)


def test_a_record_may_span_blocks(tmp_path: Path) -> None:
    """A block of 32 KiB ends inside the record, and the one after it in too few bytes."""
    long = _history(0, {"note": "x" * 900, "loss": 0.5})
    first = 32768 - 7 - 7 - 100
    filler = _field(3, b"y" * (first - 7 - 4))
    assert len(_chunk(filler)) == first
    cut = 32768 - 7 - first - 7
    rest = long[cut:]
    second = _field(3, b"z" * (32768 - 7 - len(rest) - 7 - 3 - 4))
    path = _wandb(
        tmp_path,
        _chunk(filler),
        _chunk(long[:cut], 2),
        _chunk(rest, 4),
        _chunk(second),
        bytes(3),
        _chunk(_history(1, {"loss": 0.25})),
    )
    assert [(step, row["loss"]) for step, row in _rows(path)] == [(0, 0.5), (1, 0.25)]


def test_a_torn_last_record_ends_the_run_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    row = _chunk(_history(1, {"loss": 0.5}))
    assert _rows(_wandb(tmp_path, row, row[:-3])) == [(1, {"loss": 0.5})]
    damaged = bytearray(row)
    damaged[-1] ^= 1
    path = _wandb(tmp_path, row, bytes(damaged))
    assert _problem(path) == f"{path}: at byte {7 + len(row)}: damaged record"


def test_a_value_that_is_no_json_is_told(tmp_path: Path) -> None:
    item = _field(1, _field(1, "loss") + _field(16, "{"))
    path = _wandb(tmp_path, _chunk(_field(2, item)))
    assert _problem(path).startswith(f"{path}: value of 'loss': not valid JSON")


def test_two_wandb_files_in_a_folder_are_too_many(tmp_path: Path) -> None:
    _wandb(tmp_path).rename(tmp_path / "run-0.wandb")
    _wandb(tmp_path)
    assert _problem(tmp_path) == f"{tmp_path}: 2 files *.wandb; name one of them"


def test_a_folder_without_the_file_that_was_asked_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as raised:
        open_recording(tmp_path, RecordingFormat.WANDB)
    assert str(raised.value) == f"{tmp_path}: no file *.wandb in this folder"


@pytest.mark.parametrize("message", [b"\x80", b"\x0a\x05abc", b"\x0d\x00", b"\x07", b"\xff" * 12])
def test_bytes_that_are_no_message_are_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        list(fields(message))


def test_a_negative_number_keeps_its_sign() -> None:
    assert integer(_field(1, (1 << 64) - 5), 1) == -5


# --- Damage of any kind


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255), st.sampled_from(["tensorboard", "wandb"]))
def test_a_file_with_a_changed_byte_is_read_or_told_to_be_broken(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, kept_as: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    if kept_as == "wandb":
        rows = [_chunk(_history(step, {"train/loss": 0.5})) for step in range(5)]
        path = _wandb(folder, _chunk(_field(17, _field(4, _configuration(ARGUMENTS)))), *rows)
    else:
        rows = [_summary(step, _plain("train/loss", 0.5)) for step in range(5)]
        path = _events(folder, *rows)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    path.write_bytes(content)
    told = ""
    try:
        for entry in open_recording(path, RecordingFormat(kept_as)).entries:
            assert entry.step >= 0
    except RecordingError as error:
        told = str(error)
    assert told == "" or told.startswith(f"{path}: ")


def test_a_folder_without_event_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no file .* in this folder$"):
        open_recording(tmp_path, RecordingFormat.TENSORBOARD)
