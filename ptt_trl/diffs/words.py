"""Says a diff in words: the same sentences for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff
from post_training_toolkit.ptt_trl.diffs.shift import Shift
from post_training_toolkit.ptt_trl.report.fact import Table, number, times
from post_training_toolkit.ptt_trl.snapshots.change_from_start import RefusalFlips

# Of a flip that would come about by chance less often than this, it is said that it is none.
_SIGNIFICANT = 0.05
_GROUP_WORDS = {
    "harmful": "harmful",
    "harmless": "benign or borderline",
    "other": "other",
}


def headline(diff: SnapshotDiff) -> str:
    """Return in one sentence how much of the replies has changed."""
    if not diff.changes:
        return "No reply can be compared."
    changed = len(diff.changes) - diff.unchanged
    return f"{changed} of {times(len(diff.changes), 'prompt')} answered in other words."


def flip_sentences(diff: SnapshotDiff) -> Iterator[str]:
    """Yield a sentence for each group of prompts: how refusals changed, and if by chance."""
    for flips in diff.flips:
        yield _flips(flips)


def shift_table(diff: SnapshotDiff) -> Table | None:
    """Return every measure that has shifted, the largest shifts first; None without any."""
    header = ("measure", "before", "after", "change", "95 % interval", "prompts", "")
    rows = tuple(_row(each) for each in diff.shifts if each.change)
    return Table(header, rows) if rows else None


def unshifted(diff: SnapshotDiff) -> str:
    """Return a sentence that names the measures which are as before, empty without any."""
    names = [each.measure for each in diff.shifts if not each.change]
    return f"As before: {', '.join(names)}." if names else ""


def _flips(flips: RefusalFlips) -> str:
    asked = times(flips.asked, f"{_GROUP_WORDS[flips.group]} prompt")
    told = f"Of {asked}, {flips.before} refused before and {flips.after} after"
    if not flips.to_refusal and not flips.to_answer:
        return f"{told}; none flipped."
    chance = "this may be chance" if flips.p_value > _SIGNIFICANT else "hardly by chance"
    return (
        f"{told}: {len(flips.to_refusal)} flipped to a refusal, {len(flips.to_answer)} to an "
        f"answer (McNemar's exact test, p = {flips.p_value:.2g}: {chance})."
    )


def _row(shift: Shift) -> tuple[str, ...]:
    interval = "none"
    if shift.low is not None and shift.high is not None:
        interval = f"{number(shift.low)} to {number(shift.high)}"
    remark = "may be chance" if shift.may_be_chance else ""
    asked = str(shift.asked) if shift.asked else "none"
    change = f"{shift.change:+.4g}"
    cells = (number(shift.before), number(shift.after), change, interval, asked, remark)
    return (shift.measure, *cells)
