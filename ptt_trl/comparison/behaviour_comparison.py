"""How the behaviour of each run differs from that of the first one, by their snapshots."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.ptt_trl.report.fact import Table
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import (
    read_snapshot,
    snapshot_paths,
    snapshot_step,
)

if TYPE_CHECKING:
    from post_training_toolkit.ptt_trl.diffs.shift import Shift
    from post_training_toolkit.ptt_trl.snapshots.change_from_start import RefusalFlips

_NO_SNAPSHOTS = (
    "There are no snapshots of {}; train with DiagnosticsCallback(snapshots=True), "
    "or compare checkpoints with ptt diff."
)


@dataclass(frozen=True, slots=True)
class BehaviourDifference:
    """What differs between a snapshot of the first run and one of another.

    ``sentences`` and ``table`` say it in words; ``command`` shows the replies.
    """

    first: str
    first_step: int
    other: str
    other_step: int
    prompts: int
    unchanged: int
    remarks: tuple[str, ...]
    flips: tuple[RefusalFlips, ...]
    shifts: tuple[Shift, ...]
    sentences: tuple[str, ...]
    table: Table | None
    command: str


@dataclass(frozen=True, slots=True)
class BehaviourComparison:
    """The differences, and in sentences why there is none for other runs."""

    differences: tuple[BehaviourDifference, ...]
    missing: tuple[str, ...]


def compare_behaviour(runs: Sequence[NamedRun], at: int | None = None) -> BehaviourComparison:
    """Compare the last snapshots, or those of the step nearest to ``at`` that all runs have.

    Raises ``SnapshotFileError`` and ``OSError``.
    """
    with_some = [(run, paths) for run in runs if (paths := _snapshots(run))]
    without = [run.name for run in runs if not _snapshots(run)]
    missing = [_NO_SNAPSHOTS.format(", ".join(without))] if without else []
    chosen = [(run, paths[-1]) for run, paths in with_some]
    if at is not None and len(with_some) > 1:
        steps = set.intersection(*(set(map(snapshot_step, paths)) for _, paths in with_some))
        if not steps:
            missing.append("The runs have no step in common at which all took a snapshot.")
            return BehaviourComparison((), tuple(missing))
        nearest = min(steps, key=lambda step: (abs(step - at), step))
        chosen = [
            (run, next(each for each in paths if snapshot_step(each) == nearest))
            for run, paths in with_some
        ]
    return BehaviourComparison(tuple(_differences(chosen)), tuple(missing))


def _snapshots(run: NamedRun) -> list[Path]:
    return snapshot_paths(run.record.source) if run.record.recorded_as is None else []


def _differences(chosen: Sequence[tuple[NamedRun, Path]]) -> Iterator[BehaviourDifference]:
    if len(chosen) < 2:
        return
    from post_training_toolkit.ptt_trl.diffs.diff import compare_snapshots
    from post_training_toolkit.ptt_trl.diffs.words import flip_sentences, headline, shift_table

    (first, first_path), *others = chosen
    before = read_snapshot(first_path)
    for other, path in others:
        diff = compare_snapshots(before, read_snapshot(path), names=(first.name, other.name))
        yield BehaviourDifference(
            first=first.name,
            first_step=snapshot_step(first_path),
            other=other.name,
            other_step=snapshot_step(path),
            prompts=len(diff.changes),
            unchanged=diff.unchanged,
            remarks=diff.remarks,
            flips=diff.flips,
            shifts=diff.shifts,
            sentences=(headline(diff), *diff.remarks, *flip_sentences(diff)),
            table=_named(shift_table(diff), first.name, other.name),
            command=f"ptt diff {_argument(first, first_path)} {_argument(other, path)}",
        )


def _named(shifts: Table | None, first: str, other: str) -> Table | None:
    """Return the table of shifts with the names of the runs over its columns."""
    if shifts is None:
        return None
    measure, _, _, *rest = shifts.header
    return Table((measure, first, other, *rest), shifts.rows)


def _argument(run: NamedRun, path: Path) -> str:
    return shlex.quote(f"{run.record.source}@{snapshot_step(path)}")
