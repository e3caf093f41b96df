"""What a reader of one format is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.records import TraceFile


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, by which its format is found.

    ``head`` are its first bytes, unpacked where the file is compressed; ``records`` its first JSON
    values: lines of JSON lines, elements of a JSON list, or the one document. There are none in a
    file that is no JSON. ``is_list`` says that the file is one JSON list.
    """

    path: Path
    head: bytes
    records: tuple[Any, ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """A format of traces: how it is called, found and read.

    ``recognises`` must be sure: the first format of the list that says yes is taken. ``read``
    yields episodes and, in their place, what could not be read; it goes on behind a bad record.
    """

    name: str
    title: str
    recognises: Callable[[Sample], bool]
    read: Callable[[TraceFile], Iterator[Episode | TraceProblem]]
