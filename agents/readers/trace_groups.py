"""Brings those records of a file together that belong to one trace, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.records import Record, TraceFile

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class TraceGroup(Generic[Item]):
    """The items of one trace in their order, and the line of the first."""

    id: str
    items: list[Item]
    line: int | None


def trace_groups(
    file: TraceFile, items_of: Callable[[Any], Iterator[tuple[str, Item] | str]]
) -> Iterator[TraceGroup[Item] | TraceProblem]:
    """Yield the traces of a file, each as soon as its last item is read.

    ``items_of`` yields the items of a record with the ids of their traces; a text says what is
    wrong. The file is read twice, so that only those traces are held that lie among others.
    """
    last = _last_records(TraceFile(file.path), items_of)
    held: dict[str, TraceGroup[Item]] = {}
    for number, record in enumerate(file.records()):
        if isinstance(record, TraceProblem):
            yield record
            continue
        touched: dict[str, None] = {}
        for item in items_of(record.value):
            if isinstance(item, str):
                yield file.problem(record.line, item)
                continue
            group = held.setdefault(item[0], TraceGroup(item[0], [], record.line))
            group.items.append(item[1])
            touched[item[0]] = None
        yield from (held.pop(trace) for trace in touched if last[trace] == number)


def _last_records(
    file: TraceFile, items_of: Callable[[Any], Iterator[tuple[str, Item] | str]]
) -> dict[str, int]:
    """Return the number of the last record that each trace is in."""
    return {
        item[0]: number
        for number, record in enumerate(file.records())
        if isinstance(record, Record)
        for item in items_of(record.value)
        if not isinstance(item, str)
    }
