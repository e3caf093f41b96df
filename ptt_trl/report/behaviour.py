"""What a report says of the behaviour of the model: how it has changed since the start."""

from __future__ import annotations

from dataclasses import dataclass

from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff
from post_training_toolkit.ptt_trl.diffs.words import flip_sentences, headline, shift_table
from post_training_toolkit.ptt_trl.report.fact import Table
from post_training_toolkit.ptt_trl.report.run_record import RunRecord

# All of them are in the diff itself.
_MOST_SHIFTS = 8


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The change from the first snapshot to the last: sentences, and the largest shifts."""

    span: str
    sentences: tuple[str, ...]
    shifts: Table | None


def behaviour_of(record: RunRecord) -> Behaviour | None:
    """Return what the snapshots of a run show, None without two of them."""
    diff = record.behaviour
    if diff is None:
        return None
    return Behaviour(
        _span(diff), (headline(diff), *diff.remarks, *flip_sentences(diff)), _top(diff)
    )


def _span(diff: SnapshotDiff) -> str:
    return f"from step {diff.before.step} to step {diff.after.step}"


def _top(diff: SnapshotDiff) -> Table | None:
    shifts = shift_table(diff)
    return Table(shifts.header, shifts.rows[:_MOST_SHIFTS]) if shifts is not None else None
