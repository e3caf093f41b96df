"""Files of TensorBoard, W&B and Trackio are read without these packages.

The files are written here by the published formats; where a package is installed, its own writer
is held against the reader too.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.metrics_file import LoggedRow, Milestone
from post_training_toolkit.engine.readers.choose import open_recording
from post_training_toolkit.engine.readers.record_blocks import _masked_crc32c
from post_training_toolkit.engine.readers.recording import RecordingError
from post_training_toolkit.engine.readers.wire_format import WireError, fields, integer

ARGUMENTS = {"beta": 0.1, "max_steps": 30, "logging_steps": 10}


def _rows(path: Path, run: str | None = None) -> list[tuple[int, dict[str, object]]]:
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


@pytest.mark.parametrize("message", [b"\x80", b"\x0a\x05abc", b"\x0d\x00", b"\x07", b"\xff" * 12])
def test_bytes_that_are_no_message_are_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        list(fields(message))


def test_a_negative_number_keeps_its_sign() -> None:
    assert integer(_field(1, (1 << 64) - 5), 1) == -5


# --- Trackio


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


# --- The trackers' own writers, where they are installed

TENSORBOARD = """
from {module} import SummaryWriter
writer = SummaryWriter({folder!r})
writer.add_text("args", '{{"beta": 0.1, "max_steps": 30, "logging_steps": 10}}')
writer.add_scalar("train/loss", 0.5, 10)
writer.add_scalar("train/grad_norm", float("nan"), 10)
writer.add_scalar("eval/loss", 0.25, 10)
writer.close()
"""
WANDB = """
import wandb
wandb.init(project="p", mode="offline", dir={folder!r},
           config={{"beta": 0.1, "max_steps": 30, "logging_steps": 10}})
wandb.log({{"train/loss": 0.5, "train/grad_norm": float("nan"), "train/global_step": 10}})
wandb.log({{"eval/loss": 0.25, "train/global_step": 10}})
wandb.finish()
"""
TRACKIO = """
import os
os.environ["TRACKIO_DIR"] = {folder!r}
import trackio
trackio.init(project="p", config={{"beta": 0.1, "max_steps": 30, "logging_steps": 10}})
trackio.log({{"train/loss": 0.5, "train/grad_norm": float("nan"), "train/global_step": 10}})
trackio.log({{"eval/loss": 0.25, "train/global_step": 10}})
trackio.finish()
"""


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@pytest.mark.parametrize(
    ("package", "script", "find"),
    [
        ("tensorboard", TENSORBOARD.replace("{module}", "torch.utils.tensorboard"), "*tfevents*"),
        ("tensorboardX", TENSORBOARD.replace("{module}", "tensorboardX"), "*tfevents*"),
        ("wandb", WANDB, "*.wandb"),
        ("trackio", TRACKIO, "*.db"),
    ],
)
def test_what_a_tracker_itself_writes_is_read(
    tmp_path: Path, package: str, script: str, find: str
) -> None:
    if not _installed(package):
        pytest.skip(f"{package} is not installed")
    program = script.format(folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
    [path] = tmp_path.rglob(find)
    run = open_recording(path).run
    assert (run.configuration["beta"], run.max_steps, run.logging_steps) == (0.1, 30, 10)
    assert _rows(path) == [
        (10, {"loss": 0.5, "grad_norm": "NaN"}),
        (10, {"eval_loss": 0.25}),
    ]


def test_no_reader_imports_what_it_reads() -> None:
    """A plain installation reads every format."""
    program = (
        "import sys\n"
        "import post_training_toolkit.engine.readers.choose\n"
        "print({'torch', 'tensorboard', 'wandb', 'trackio', 'pandas', 'river'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"
