"""Reads and writes metrics.jsonl: one JSON object a line, in the order things happened."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from post_training_toolkit.engine.death import Death, read_death
from post_training_toolkit.engine.door import Row, admit


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """One row that the trainer logged."""

    step: int
    epoch: float | None
    row: Row
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that happened to the run: ``train_begin``, ``train_end`` or ``exception``.

    ``death`` says how the run died, where that is known.
    """

    event: str
    step: int
    max_steps: int | None = None
    time: float | None = None
    death: Death | None = None


MetricsEntry = LoggedRow | Milestone


class MetricsFileError(ValueError):
    """A line of a metrics file that cannot be read; the text says which."""


def metrics_line(entry: MetricsEntry, canonical: Row | None = None) -> bytes:
    r"""Return the line, with its newline, that ``read_metrics`` reads back to an equal entry.

    What a row has under canonical names beside its own, as ``canonical`` holds it, is written for
    people and other tools; it follows from the row and is not read back.

    >>> metrics_line(LoggedRow(1, 0.5, admit({"loss": 0.25})))
    b'{"step":1,"epoch":0.5,"logs":{"loss":0.25}}\n'
    """
    data: dict[str, Any]
    match entry:
        case LoggedRow(step=step, epoch=epoch, row=row):
            logs = row.to_json()
            data = {"step": step, "epoch": epoch, "logs": logs}
            named = {} if canonical is None else canonical.to_json()
            beside = {name: value for name, value in named.items() if name not in logs}
            if beside:
                data["canonical"] = beside
        case Milestone(event=event, step=step, max_steps=max_steps, death=death):
            data = {"event": event, "step": step}
            if max_steps is not None:
                data["max_steps"] = max_steps
            if death is not None:
                data["death"] = death.to_json()
    if entry.time is not None:
        data["time"] = entry.time
    return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)


def read_metrics(path: Path) -> Iterator[MetricsEntry]:
    """Yield the entries of a metrics file; a torn last line, as a killed run leaves it, ends it.

    Bare NaN and Infinity, as Python's json writes them, are read too. Raises ``MetricsFileError``
    for any other line that is no entry. A file whose name ends in .gz is decompressed.
    """
    with path.open("rb") as file:
        lines = _decompressed(path, file) if path.suffix == ".gz" else file
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _entry(_parse(line))
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return
                raise MetricsFileError(
                    f"{path}:{number}: no metrics line; expected an object with 'step' and 'logs', "
                    f"or with 'event' and 'step' ({type(error).__name__}: {error})"
                ) from None


def _decompressed(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from gzip.GzipFile(fileobj=file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MetricsFileError(f"{path}: no whole gzip file ({error})") from None


def _parse(line: bytes) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        parsed = json.loads(line)
    return parsed


def _entry(data: dict[str, Any]) -> MetricsEntry:
    if not isinstance(data["step"], int):
        raise TypeError("'step' must be a whole number")
    if "event" in data:
        death = None if data.get("death") is None else read_death(data["death"])
        planned, time = data.get("max_steps"), data.get("time")
        return Milestone(data["event"], data["step"], planned, time, death)
    if not isinstance(data["logs"], dict):
        raise TypeError("'logs' must be an object")
    return LoggedRow(data["step"], data.get("epoch"), admit(data["logs"]), data.get("time"))
