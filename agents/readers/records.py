"""Reads the JSON values of a file one after another, in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson

from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.engine.readers.json_text import parse_json

_HEAD_BYTES = 1 << 16
_GZIP = b"\x1f\x8b"


class Record(NamedTuple):
    """One JSON value and the line that it begins on, None inside a JSON list."""

    value: Any
    line: int | None


@dataclass(frozen=True, slots=True)
class TraceFile:
    """A file that holds traces; gzip is unpacked on the way.

    ``name`` is how it is called in messages and in ``Episode.source``. ``advance`` is told how many
    bytes more of the file have been read.
    """

    path: Path
    advance: Callable[[int], object] | None = None

    @property
    def name(self) -> str:
        """The path as it was given."""
        return str(self.path)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file for reading bytes, as a context."""
        with io.BufferedReader(_Counted(self.path, self.advance or _ignore)) as opened:
            if opened.peek(2)[:2] == _GZIP:
                with gzip.GzipFile(fileobj=opened) as unpacked:
                    yield cast("IO[bytes]", unpacked)
            else:
                yield opened

    def problem(self, line: int | None, message: str, place: str = "") -> TraceProblem:
        """Return what is wrong at a line of this file."""
        return TraceProblem(self.name, line, message, place)

    def head(self) -> bytes:
        """Return the first 64 kB."""
        with replace(self, advance=None).open() as file:
            return file.read(_HEAD_BYTES)

    def records(self) -> Iterator[Record | TraceProblem]:
        """Yield the lines of JSON lines, the elements of a JSON list, or the one document.

        What is no JSON comes as a problem in its place; JSON lines go on behind it.
        """
        match layout(self.head()):
            case "list":
                yield from self._elements()
            case "document":
                yield from self._document()
            case _:
                yield from self._lines()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are not blank, with their numbers, which count from 1."""
        with self.open() as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line

    def _lines(self) -> Iterator[Record | TraceProblem]:
        for number, line in self.lines():
            try:
                yield Record(parse_text(line), number)
            except ValueError as error:
                yield self.problem(number, f"no JSON: {error}")

    def _document(self) -> Iterator[Record | TraceProblem]:
        with self.open() as file:
            text = file.read()
        try:
            yield Record(parse_text(text), 1)
        except ValueError as error:
            yield from self._documents(str(error))

    def _documents(self, error: str) -> Iterator[Record | TraceProblem]:
        """Yield documents that stand one behind the other, as exporters of spans print them."""
        import ijson

        with self.open() as file:
            found = False
            try:
                for value in ijson.items(file, "", multiple_values=True, use_float=True):
                    found = True
                    yield Record(value, None)
            except ijson.JSONError as broken:
                yield self.problem(None, f"no JSON: {str(broken).strip() if found else error}")

    def _elements(self) -> Iterator[Record | TraceProblem]:
        # A list of all episodes of an evaluation may be larger than the memory.
        import ijson

        with self.open() as file:
            try:
                for value in ijson.items(file, "item", use_float=True):
                    yield Record(value, None)
            except ijson.JSONError as error:
                yield self.problem(None, f"no JSON: {str(error).strip()}")


class _Counted(io.FileIO):
    """Tells how much of it has been read."""

    def __init__(self, path: Path, advance: Callable[[int], object]) -> None:
        super().__init__(path)
        self._advance = advance

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer)
        self._advance(count or 0)
        return count


def _ignore(_: int) -> None:
    """Nobody wants to know."""


def parse_text(text: bytes) -> Any:
    r"""Return the JSON value of a text; raise ``ValueError`` where it is none.

    Half of a surrogate pair, as it is left where a program cuts an emoji in two, becomes U+FFFD.

    >>> parse_text(b'"cut \\ud83d"')
    'cut \ufffd'
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        value = parse_json(text.strip())
        written = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        return json.loads(written.decode("utf-16-le", "replace"))


def layout(head: bytes) -> str:
    r"""Return how the JSON values of a file lie: ``list``, ``document`` or ``lines``.

    A document is one JSON object over several lines; one on a single line is a line.

    >>> layout(b'[{"a": 1}]'), layout(b'{\n  "a": 1}'), layout(b'{"a": 1}\n{"a": 2}\n')
    ('list', 'document', 'lines')
    """
    first, _, rest = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    more = bool(rest.strip())
    try:
        parse_json(first)
    except ValueError:
        if first.startswith(b"["):
            return "list"
        # A broken first line of JSON lines is followed by a whole one, a document by its inside.
        return "document" if more and not rest.startswith(b"{") else "lines"
    return "list" if first.startswith(b"[") and not more else "lines"
