"""Reads a user's prompts, and says of every one that cannot be asked where it stands and why."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind
from post_training_toolkit.rules.document import Document, read_document
from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.rules.suggestion import guess
from post_training_toolkit.schemas import load_schema

# A list of prompts is asked again and again: more than this is a data set.
MOST_PROMPTS = 10_000
_CONTENTS = ("prompt", "messages", "text")
_YES = ("true", "yes", "1")
_NO = ("false", "no", "0", "")


class PromptFileError(ValueError):
    """A file of prompts that cannot be used; the message has a line for every mistake."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(set(problems), key=lambda each: (each.line, each.column))
        super().__init__("\n".join(map(str, found)))


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read a file of prompts: JSONL, JSON, YAML, CSV, or text with one prompt a line.

    An entry has ``prompt`` (what a user says), ``messages`` (a conversation) or ``text`` (continued
    as it is), and if need be an ``id``, a ``kind`` and ``sampled``; docs/snapshots.md has examples.
    Raises ``PromptFileError`` with every located mistake, and ``OSError``.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise PromptFileError([_whole(path, f"prompts are read from files named {known}")])
    content = path.read_bytes()
    documents = list(reader(path, content))
    problems = [problem for document in documents for problem in document.problems]
    readable = [document for document in documents if not document.problems]
    problems += _mistakes(readable)
    if not problems:
        problems += _mistakes_in_number(path, sum(len(each.data) for each in documents))
    if problems:
        raise PromptFileError(problems)
    entries = [entry for document in documents for entry in document.data]
    return tuple(_prompt(number, entry) for number, entry in enumerate(entries, start=1))


def _mistakes(documents: list[Document]) -> Iterator[Problem]:
    schema = load_schema("prompts")
    places: dict[str, int] = {}
    number = 0
    for document in documents:
        strange = list(_no_entries(document))
        wrong = strange or [problem for _, problem in check_schema(document, schema)]
        yield from wrong
        if wrong:
            continue
        for index, entry in enumerate(document.data):
            number += 1
            yield from _mistakes_of_entry(document, index, entry)
            name = entry.get("id", _default_id(number))
            if name in places:
                message = f"the id {name!r} is that of line {places[name]}, too"
                yield document.problem((index, "id"), message)
            places.setdefault(name, document.problem((index,), "").line)


def _no_entries(document: Document) -> Iterator[Problem]:
    """Yield what stands where entries should stand."""
    if not isinstance(document.data, list):
        yield document.problem((), "this is no list; a file of prompts is a list of them")
        return
    for index, entry in enumerate(document.data):
        if not isinstance(entry, dict):
            message = f"this is no prompt; write {{prompt: {str(entry)[:40]!r}}}"
            yield document.problem((index,), message)


def _mistakes_in_number(path: Path, entries: int) -> Iterator[Problem]:
    if not entries:
        yield _whole(path, "there is no prompt in this file")
    if entries > MOST_PROMPTS:
        yield _whole(path, f"{entries:,} prompts are too many; at most {MOST_PROMPTS:,} are asked")


def _mistakes_of_entry(document: Document, index: int, entry: dict[str, Any]) -> Iterator[Problem]:
    given = [name for name in _CONTENTS if name in entry]
    if len(given) != 1:
        told = f"has {' and '.join(given)}" if given else "has none of them"
        message = f"a prompt has one of prompt, messages and text; this one {told}"
        yield document.problem((index,), message)
    elif entry.get("messages", [{}])[-1].get("role") == "assistant":
        message = "the last message is the assistant's own; end with one of the user"
        yield document.problem((index, "messages"), message)


def _prompt(number: int, entry: dict[str, Any]) -> Prompt:
    messages = entry.get("messages", ())
    if "prompt" in entry:
        messages = [{"role": "user", "content": entry["prompt"]}]
    return Prompt(
        id=entry.get("id", _default_id(number)),
        kind=PromptKind(entry.get("kind", PromptKind.OTHER)),
        messages=tuple(Message(**each) for each in messages),
        text=entry.get("text"),
        sampled=entry.get("sampled", False),
    )


def _default_id(number: int) -> str:
    return f"prompt-{number:03}"


def _read_whole(path: Path, content: bytes) -> Iterator[Document]:
    """Read JSON, which is YAML as well, or YAML."""
    document = read_document(str(path), content)
    if document.data is None and not document.problems:
        document.data = []
    yield document


def _read_lines(path: Path, content: bytes) -> Iterator[Document]:
    """Read JSONL; each line becomes a list of one entry, which stands where the line stands."""
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            read = read_document(str(path), b"[" + line + b"]")
            yield _moved(read, number - 1)


def _moved(document: Document, lines: int) -> Document:
    """Return a document as if so many lines stood above it, and without the bracket before it."""
    return Document(
        document.name,
        document.data,
        {path: (line + lines, column - 1) for path, (line, column) in document.positions.items()},
        {key: (line + lines, column - 1) for key, (line, column) in document.key_positions.items()},
        [
            Problem(each.file, each.line + lines, max(each.column - 1, 1), None, each.message)
            for each in document.problems
        ],
    )


def _read_text(path: Path, content: bytes) -> Iterator[Document]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        yield _not_text(path, content, error)
        return
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Document(str(path), [{"prompt": line.strip()}], {(): (number, 1)})


def _read_table(path: Path, content: bytes) -> Iterator[Document]:
    known = [*_CONTENTS[::2], "id", "kind", "sampled"]
    try:
        rows = csv.DictReader(content.decode("utf-8-sig").splitlines(keepends=True), strict=True)
        for name in rows.fieldnames or ():
            if name not in known:
                columns = ", ".join(known)
                message = f"unknown column {name!r}{guess(name, known)}; there are {columns}"
                yield _unreadable(path, 1, message)
                return
        for row in rows:
            yield _document_of_row(path, rows.line_num, row)
    except UnicodeDecodeError as error:
        yield _not_text(path, content, error)
    except csv.Error as error:
        yield _unreadable(path, 1, f"this is no table: {error}")


def _document_of_row(path: Path, line: int, row: dict[str, Any]) -> Document:
    if None in row:
        return _unreadable(path, line, "this row has more cells than the header")
    entry: dict[str, object] = {name: cell for name, cell in row.items() if cell}
    sampled = str(row.get("sampled") or "").strip().lower()
    if sampled not in (*_YES, *_NO):
        return _unreadable(path, line, f"sampled is true or false, not {sampled!r}")
    if "sampled" in entry:
        entry["sampled"] = sampled in _YES
    return Document(str(path), [entry], {(): (line, 1)})


def _not_text(path: Path, content: bytes, error: UnicodeDecodeError) -> Document:
    line = content.count(b"\n", 0, error.start) + 1
    return _unreadable(path, line, "this is not UTF-8 text")


def _unreadable(path: Path, line: int, message: str) -> Document:
    return Document(str(path), problems=[Problem(str(path), line, 1, None, message)])


def _whole(path: Path, message: str) -> Problem:
    return Problem(str(path), 1, 1, None, message)


_READERS: dict[str, Callable[[Path, bytes], Iterator[Document]]] = {
    ".jsonl": _read_lines,
    ".json": _read_whole,
    ".yaml": _read_whole,
    ".yml": _read_whole,
    ".csv": _read_table,
    ".txt": _read_text,
}
