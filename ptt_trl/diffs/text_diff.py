"""Compares two texts word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_PIECE = re.compile(r"\s+|\w+|[^\w\s]")


class Edit(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    DELETED = "deleted"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of one or both of two texts."""

    edit: Edit
    text: str


@dataclass(frozen=True, slots=True)
class TextDiff:
    """What became of each piece of two texts, in reading order, deleted before inserted ones.

    ``similarity`` is 1 for equal texts, 0 for texts that have nothing in common.
    """

    segments: tuple[Segment, ...]
    similarity: float


def compare_texts(before: str, after: str) -> TextDiff:
    """Return what was deleted and inserted, in whole words.

    >>> diff = compare_texts("The sum is 5.", "The sum is six.")
    >>> [f"{each.edit}: {each.text}" for each in diff.segments]
    ['same: The sum is ', 'deleted: 5', 'inserted: six', 'same: .']
    >>> round(diff.similarity, 2)
    0.88
    """
    ours, theirs = _PIECE.findall(before), _PIECE.findall(after)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    segments = []
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            segments.append(Segment(Edit.SAME, "".join(ours[start:end])))
            continue
        if end > start:
            segments.append(Segment(Edit.DELETED, "".join(ours[start:end])))
        if other_end > other_start:
            segments.append(Segment(Edit.INSERTED, "".join(theirs[other_start:other_end])))
    return TextDiff(tuple(segments), matcher.ratio())
