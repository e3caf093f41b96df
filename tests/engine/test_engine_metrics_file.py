"""metrics.jsonl holds what the trainer logged, as strict JSON, and is read back as it was."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.schemas import load_schema

NAN, INF = float("nan"), float("inf")

logged = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=5)
)
steps = st.integers(0, 2**53)
times = st.none() | st.floats(0, 1e10)
rows: st.SearchStrategy[MetricsEntry] = st.builds(
    LoggedRow,
    steps,
    st.none() | st.floats(0, 1e6),
    st.dictionaries(st.text(st.characters(), max_size=5), logged, max_size=5).map(admit),
    times,
)
milestones: st.SearchStrategy[MetricsEntry] = st.builds(
    Milestone,
    st.sampled_from(["train_begin", "train_end", "exception"]),
    steps,
    st.none() | st.integers(1, 2**53),
    times,
)


def strictly(line: bytes) -> Any:
    """Parse a line of JSON as a parser does that knows no NaN."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    return json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            LoggedRow(3, 0.25, admit({"loss": NAN, "grad_norm": -INF, "reward": None, "a": "é"})),
            '{"step":3,"epoch":0.25,"logs":'
            '{"loss":"NaN","grad_norm":"-Infinity","reward":null,"a":"é"}}',
        ),
        (
            LoggedRow(3, None, admit({"a": {"b": 1}}), time=2.5),
            '{"step":3,"epoch":null,"logs":{"a/b":1.0},"time":2.5}',
        ),
        (
            # What is missing is a set, whose order would differ from run to run.
            LoggedRow(3, None, admit(dict.fromkeys("dacfbe"))),
            '{"step":3,"epoch":null,"logs":'
            '{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}}',
        ),
        (Milestone("train_begin", 0, 100), '{"event":"train_begin","step":0,"max_steps":100}'),
        (Milestone("train_end", 9, time=2.5), '{"event":"train_end","step":9,"time":2.5}'),
    ],
)
def test_the_line_of_an_entry(entry: MetricsEntry, line: str) -> None:
    assert metrics_line(entry).decode() == line + "\n"


@given(st.lists(rows | milestones, max_size=5))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_strict_json_fits_the_schema_and_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, entries: list[MetricsEntry]
) -> None:
    lines = [metrics_line(entry) for entry in entries]
    for line in lines:
        assert line.count(b"\n") == 1
        jsonschema.validate(strictly(line), load_schema("metrics_line"))
    path = tmp_path_factory.getbasetemp() / "metrics.jsonl"
    path.write_bytes(b"".join(lines))
    assert list(read_metrics(path)) == entries


def test_a_line_torn_anywhere_ends_the_file_and_loses_nothing_before_it(tmp_path: Path) -> None:
    entries: list[MetricsEntry] = [
        Milestone("train_begin", 0, 10),
        LoggedRow(1, 0.1, admit({"loss": 2.5, "grad_norm": NAN})),
        LoggedRow(2, 0.2, admit({"loss": 2.25, "note": "é"})),
    ]
    whole = b"".join(map(metrics_line, entries))
    last = len(metrics_line(entries[-1]))
    path = tmp_path / "metrics.jsonl"
    for end in range(len(whole) - last, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert list(read_metrics(path)) == entries[:2], whole[:end]
    # Only the newline is missing: the line is whole.
    path.write_bytes(whole[:-1])
    assert list(read_metrics(path)) == entries


@pytest.mark.parametrize(
    "broken",
    [
        b'{"step": 2, "lo',
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b"5",
        b"null",
        b'"event"',
        b'{"logs": {}}',
        b'{"step": 2}',
        b'{"event": "train_end"}',
        b'{"step": "2", "logs": {}}',
        b'{"step": 2.5, "logs": {}}',
        b'{"step": null, "logs": {}}',
        b'{"step": 2, "logs": null}',
        b'{"step": 2, "logs": [1]}',
    ],
    ids=lambda line: line[:20].decode("ascii", "replace"),
)
def test_a_broken_line_before_the_end_is_an_error_with_its_place(
    tmp_path: Path, broken: bytes
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "logs": {}}\n\n' + broken + b'\n{"step": 3, "logs": {}}\n')
    reader = read_metrics(path)
    assert next(reader) == LoggedRow(1, None, admit({}))
    with pytest.raises(MetricsFileError) as caught:
        next(reader)
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{path}:3: no metrics line; expected an object with 'step' and 'logs'")


def test_bare_words_as_python_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "epoch": 0.5, "logs": {"a": NaN, "b": -Infinity, "c": 2}}\r\n\n')
    assert list(read_metrics(path)) == [LoggedRow(1, 0.5, admit({"a": NAN, "b": -INF, "c": 2}))]


def test_an_empty_file_has_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.touch()
    assert list(read_metrics(path)) == []


def test_a_compressed_file_reads_like_the_plain_one(tmp_path: Path) -> None:
    lines = b"".join(metrics_line(LoggedRow(step, None, admit({"loss": 0.5}))) for step in (1, 2))
    plain, compressed = tmp_path / "log.jsonl", tmp_path / "log.jsonl.gz"
    plain.write_bytes(lines)
    compressed.write_bytes(gzip.compress(lines))
    assert list(read_metrics(compressed)) == list(read_metrics(plain))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"x" * 99, mtime=0)[:-9]])
def test_a_broken_compressed_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(MetricsFileError, match=r"log.jsonl.gz: no whole gzip file"):
        list(read_metrics(path))
