"""Finds the conversations in the lines of a Claude Code session, which form a tree.

Each line names the one before it. A prompt that was edited, or an answer that was asked for again,
opens a branch, and the branch of the last line is what counts. The results of parallel calls are
branches too, but belong to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.readers.anthropic_message import BLOCK_CALLS


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a session, with its number."""

    value: JsonObject
    number: int | None

    @property
    def is_message(self) -> bool:
        """Whether it is a message, and not a note of the program to itself."""
        return self.value.get("type") in ("user", "assistant")

    @property
    def message(self) -> Mapping[str, Any]:
        """The message, empty where the line has none."""
        found = self.value.get("message")
        return found if isinstance(found, Mapping) else {}

    @property
    def blocks(self) -> list[Mapping[str, Any]]:
        """The blocks of its content that are objects."""
        content = self.message.get("content")
        blocks = content if isinstance(content, list) else []
        return [block for block in blocks if isinstance(block, Mapping)]


@dataclass(frozen=True, slots=True)
class Branch:
    """The lines of a conversation in order; ``abandoned`` counts messages of other branches.

    ``compacted`` says that the conversation went on behind a summary of it.
    """

    lines: tuple[Line, ...]
    abandoned: int
    compacted: bool


def branches(lines: Sequence[Line]) -> list[Branch]:
    """Return the conversations of a session, in the order in which they begin.

    A line without a known parent goes on where the one before it stopped; in a session whose lines
    name their parents, one that names none opens a conversation.
    """
    parents = _parents(lines)
    roots = _roots(parents)
    compacted = _compacted(lines, roots)
    found = []
    for root in dict.fromkeys(roots):
        tree = [at for at, each in enumerate(roots) if each == root]
        messages = [at for at in tree if lines[at].is_message]
        if messages:
            kept = _with_parallel(lines, messages, set(_path(parents, messages[-1])))
            chosen = tuple(lines[at] for at in tree if at in kept)
            abandoned = sum(at not in kept for at in messages)
            found.append(Branch(chosen, abandoned, root in compacted))
    return found


def _parents(lines: Sequence[Line]) -> list[int | None]:
    """Return the place of the line before each line, None for one that opens a conversation."""
    places = {uuid: at for at, line in enumerate(lines) if (uuid := _id(line.value, "uuid"))}
    named = [places.get(_id(line.value, "parentUuid") or "") for line in lines]
    linked = any(parent is not None for parent in named)
    chosen: list[int | None] = []
    last: dict[Any, int] = {}
    for at, (line, parent) in enumerate(zip(lines, named, strict=True)):
        chain = _chain(line)
        names_one = _id(line.value, "parentUuid") is not None
        if parent == at or (parent is None and (names_one or not linked)):
            parent = last.get(chain)
        elif parent is not None and _chain(lines[parent]) != chain:
            parent = None
        chosen.append(parent)
        last[chain] = at
    return chosen


def _roots(parents: Sequence[int | None]) -> list[int]:
    """Return the place of the line that opens the conversation of each line."""
    roots: list[int] = []
    for at, parent in enumerate(parents):
        if parent is not None and parent < at:
            roots.append(roots[parent])
        else:
            roots.append(_path(parents, at)[-1])
    return roots


def _chain(line: Line) -> tuple[bool, str | None]:
    """Return what tells a conversation with the user from those of subagents."""
    return line.value.get("isSidechain") is True, _id(line.value, "agentId")


def _path(parents: Sequence[int | None], start: int) -> list[int]:
    """Return a place and those before it, up to the first."""
    path: dict[int, None] = {start: None}
    at = parents[start]
    while at is not None and at not in path:
        path[at] = None
        at = parents[at]
    return list(path)


def _compacted(lines: Sequence[Line], roots: Sequence[int]) -> set[int]:
    """Return the first lines of those conversations that went on behind a summary."""
    continued = {_id(line.value, "logicalParentUuid") for line in lines} - {None}
    return {
        root
        for line, root in zip(lines, roots, strict=True)
        if _id(line.value, "uuid") in continued
    }


def _with_parallel(lines: Sequence[Line], messages: Iterable[int], kept: set[int]) -> set[int]:
    """Return a path with the other parts of its answers, and the results of their calls."""
    others = [at for at in messages if at not in kept]
    while True:
        answers = {_id(lines[at].message, "id") for at in kept} - {None}
        calls = {
            block.get("id")
            for at in kept
            for block in lines[at].blocks
            if block.get("type") in BLOCK_CALLS and isinstance(block.get("id"), str)
        }
        open_calls = calls - {each for at in kept for each in _answered(lines[at])}
        more = {
            at
            for at in others
            if at not in kept
            and (_id(lines[at].message, "id") in answers or open_calls & _answered(lines[at]))
        }
        if not more:
            return kept
        kept = kept | more


def _answered(line: Line) -> set[str]:
    """Return the ids of the calls that the results in a line answer."""
    ids = (block.get("tool_use_id") for block in line.blocks)
    return {each for each in ids if isinstance(each, str)}


def _id(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    return found if isinstance(found, str) and found else None
