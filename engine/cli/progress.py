"""Progress bars, which only people see: on stderr, and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], length: int, label: str) -> Iterator[Item]:
    """Yield the items while a bar shows how many of them are done."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
        yield from bar


@contextmanager
def progress_of(length: int, label: str) -> Iterator[Callable[[int], object]]:
    """Give a function that takes how much more is done, behind which a bar stands if it is seen."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
