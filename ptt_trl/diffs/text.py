"""Shows a diff in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from post_training_toolkit.engine.text_table import table
from post_training_toolkit.ptt_trl.diffs.diff import ReplyChange, SnapshotDiff
from post_training_toolkit.ptt_trl.diffs.words import (
    flip_sentences,
    headline,
    shift_table,
    unshifted,
)

# More texts side by side are better read on a page.
MOST_REPLIES = 10
_WIDTH = 100
_LONGEST = 300


def render_text(diff: SnapshotDiff) -> str:
    """Return the diff as lines of text: a summary, all measures, the replies that changed most."""
    return "\n".join(_lines(diff)) + "\n"


def _lines(diff: SnapshotDiff) -> Iterator[str]:
    yield f"before: {diff.before.name}"
    yield f"after:  {diff.after.name}"
    yield ""
    yield headline(diff)
    yield from diff.remarks
    yield from flip_sentences(diff)
    shifts = shift_table(diff)
    if shifts is not None:
        yield ""
        yield from table(shifts.header, shifts.rows)
    if unshifted(diff):
        yield from textwrap.wrap(unshifted(diff), _WIDTH)
    changed = [each for each in diff.changes if not each.same]
    for change in changed[:MOST_REPLIES]:
        yield ""
        yield from _reply(change)
    if len(changed) > MOST_REPLIES:
        more = len(changed) - MOST_REPLIES
        yield ""
        yield f"... and {more} more; --format html or json has all of them"


def _reply(change: ReplyChange) -> Iterator[str]:
    flipped = ""
    if change.flipped:
        flipped = ", now refused" if change.after.refusal == "full" else ", no longer refused"
    yield f"{change.prompt} ({change.kind}{flipped}): {_cut(change.asked)}"
    for mark, reply in (("-", change.before), ("+", change.after)):
        text = _cut(reply.text) or "(nothing)"
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=f"  {mark} ", subsequent_indent="    "
        )


def _cut(text: str) -> str:
    """Return a text on one line, without what would command a terminal."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
