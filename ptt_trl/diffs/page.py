"""Shows a diff as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff
from post_training_toolkit.ptt_trl.diffs.words import (
    flip_sentences,
    headline,
    shift_table,
    unshifted,
)
from post_training_toolkit.ptt_trl.page_template import page_template


def render_page(diff: SnapshotDiff) -> str:
    """Return the diff as HTML: what has changed most, then the replies side by side."""
    page = page_template("snapshot_diff.html.jinja").render(
        diff=diff,
        headline=headline(diff),
        flips=list(flip_sentences(diff)),
        shifts=shift_table(diff),
        unshifted=unshifted(diff),
    )
    # What a tokenizer decodes may hold halves of surrogate pairs.
    return page.encode("utf-8", "replace").decode()
