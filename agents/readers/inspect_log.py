"""Reads logs of Inspect: ``.eval``, which are zip archives, and ``.json``.

Samples are read by inspect-ai where it is installed, else by what is here, with the same result; a
sample that inspect-ai refuses is read here too, which says what is wrong with it. Archives are read
sample by sample, and those of unfinished runs as far as they go.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.inspect_library import as_inspect_reads, is_installed
from post_training_toolkit.agents.readers.inspect_sample import Log, read_sample
from post_training_toolkit.agents.readers.records import TraceFile, parse_text
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_HEADER = "header.json"
_START = "_journal/start.json"
_SAMPLE = re.compile(r"samples/.+_epoch_\d+(\.json|/sample\.json)", re.DOTALL)
_CHUNKS = "/sample.json"
_ZIP = b"PK\x03\x04"
_MOST_BYTES = 1 << 30
# What zipfile raises for an archive that is damaged, cut off or packed in an unknown way.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def recognises(sample: Sample) -> bool:
    """Whether a file is an archive with a log's header, or a document with its task."""
    if sample.head.startswith(_ZIP):
        try:
            with zipfile.ZipFile(sample.path) as archive:
                return bool({_HEADER, _START} & set(archive.namelist()))
        except _DAMAGED:
            return _START.encode() in sample.head
    return not sample.is_list and len(sample.records) == 1 and _is_log(sample.records[0])


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episode of each sample of a log, one after another."""
    if file.head().startswith(_ZIP):
        yield from _read_archive(file)
        return
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
        elif not _is_log(record.value):
            yield file.problem(record.line, "no log of Inspect: it needs eval and samples")
        else:
            yield from _read_document(file, record.value)


FORMAT = TraceFormat(
    name="inspect",
    title="logs of Inspect (.eval and .json)",
    recognises=recognises,
    read=read,
)


def _is_log(value: Any) -> bool:
    spec = value.get("eval") if isinstance(value, Mapping) else None
    return isinstance(spec, Mapping) and "task" in spec


def _read_document(file: TraceFile, log: Mapping[str, Any]) -> Iterator[Episode | TraceProblem]:
    samples = log.get("samples")
    if not isinstance(samples, list) or not samples:
        yield file.problem(None, "the log has no samples")
        return
    for at, sample in enumerate(samples):
        yield from _episode(file, Log(log["eval"]), sample, f"samples[{at}]")


def _episode(
    file: TraceFile, log: Log, sample: Any, place: str
) -> Iterator[Episode | TraceProblem]:
    read = as_inspect_reads(sample) if is_installed() else None
    yield from read_sample(file, log, sample if read is None else read, place)


def _read_archive(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    try:
        archive = zipfile.ZipFile(file.path)
    except _DAMAGED as error:
        yield file.problem(None, f"no archive that can be read: {error}")
        return
    with archive:
        yield from _read_entries(file, archive)


def _read_entries(file: TraceFile, archive: zipfile.ZipFile) -> Iterator[Episode | TraceProblem]:
    names = {info.filename: info for info in archive.infolist()}
    header = next((names[name] for name in (_HEADER, _START) if name in names), None)
    read_header = {} if header is None else _entry(file, archive, header)
    if isinstance(read_header, TraceProblem):
        yield read_header
    elif not _is_log(read_header):
        yield file.problem(None, f"neither {_HEADER} nor {_START} names a task")
    log = Log(read_header["eval"]) if _is_log(read_header) else Log({})
    samples = [info for name, info in names.items() if _SAMPLE.fullmatch(name)]
    if not samples:
        yield file.problem(None, "the log has no samples")
    for info in samples:
        sample = _sample(file, archive, info)
        if isinstance(sample, TraceProblem):
            yield sample
        else:
            yield from _episode(file, log, sample, info.filename)
        if file.advance is not None:
            file.advance(info.compress_size)


def _sample(file: TraceFile, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    if info.filename.endswith(_CHUNKS):
        return file.problem(None, "a sample in chunks cannot be read", info.filename)
    if info.file_size > _MOST_BYTES:
        return file.problem(None, f"more than {_MOST_BYTES} bytes", info.filename)
    return _entry(file, archive, info)


def _entry(file: TraceFile, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """Return the JSON value of an entry, or what is wrong with it."""
    try:
        with archive.open(info) as entry:
            text = entry.read(_MOST_BYTES)
    except _DAMAGED as error:
        return file.problem(None, f"cannot be unpacked: {error}", info.filename)
    try:
        return parse_text(text)
    except ValueError as error:
        return file.problem(None, f"no JSON: {error}", info.filename)
