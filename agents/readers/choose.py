"""Finds the format of a file by its content and reads its episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.formats import FORMATS
from post_training_toolkit.agents.readers.records import Record, TraceFile, layout
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat
from post_training_toolkit.rules.suggestion import did_you_mean

_SAMPLED = 5


def format_named(name: str) -> TraceFormat:
    """Return the format of a name; raise ``ValueError`` for one that there is not."""
    for each in FORMATS:
        if each.name == name:
            return each
    raise ValueError(f"no format {name!r}{did_you_mean(name, [each.name for each in FORMATS])}")


def find_format(file: TraceFile) -> TraceFormat | None:
    """Return the format that the content of a file is in, None if no reader knows it."""
    sample = take_sample(file)
    return next((each for each in FORMATS if each.recognises(sample)), None)


def take_sample(file: TraceFile) -> Sample:
    """Return the beginning of a file."""
    head = file.head()
    binary = b"\0" in head[:1024]
    start = () if binary else islice(TraceFile(file.path).records(), _SAMPLED)
    records = tuple(record.value for record in start if isinstance(record, Record))
    return Sample(file.path, head, records, not binary and layout(head) == "list")


def read_paths(
    paths: Iterable[Path],
    trace_format: TraceFormat | None = None,
    advance: Callable[[int], object] | None = None,
) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of files, and of the files in folders, in the order of their names.

    What cannot be read comes as a problem in its place. Without a format it is found by the content
    of each file; a file that no reader knows is one problem, but in a folder, where other things
    may lie, it is left alone as long as there is one file that is known. ``advance`` is told how
    many bytes more have been read.
    """
    for chosen in choose_formats(paths, trace_format, advance):
        if isinstance(chosen, TraceProblem):
            yield chosen
        else:
            file, found = chosen
            yield from found.read(file)


def choose_formats(
    paths: Iterable[Path],
    trace_format: TraceFormat | None = None,
    advance: Callable[[int], object] | None = None,
) -> Iterator[tuple[TraceFile, TraceFormat] | TraceProblem]:
    """Yield the files that ``read_paths`` reads, with their formats, and those it cannot read."""
    for path in paths:
        files = [TraceFile(each, advance) for each in (files_in(path) if path.is_dir() else [path])]
        chosen = [(file, trace_format or find_format(file)) for file in files]
        known = [(file, found) for file, found in chosen if found is not None]
        yield from known
        if not known:
            what = "no file of a format" if path.is_dir() else "no format"
            names = ", ".join(each.name for each in FORMATS)
            yield TraceProblem(str(path), None, f"{what} that is known here; there are {names}")


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and the folders in it, sorted; none whose name is hidden."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path
