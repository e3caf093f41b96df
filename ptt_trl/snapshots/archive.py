"""Keeps the snapshots of a run in its folder, and measures each against the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.diffs.diff import compare_snapshots
from post_training_toolkit.ptt_trl.diffs.writing import write_diff
from post_training_toolkit.ptt_trl.snapshots.change_from_start import changes_from_start
from post_training_toolkit.ptt_trl.snapshots.hidden_states import (
    ProbeStart,
    drift_from_start,
    read_probe_start,
    write_probe_start,
)
from post_training_toolkit.ptt_trl.snapshots.recorder import SharesTaken, SnapshotPlan
from post_training_toolkit.ptt_trl.snapshots.snapshot import Snapshot
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import (
    METRIC_PREFIX,
    SNAPSHOTS,
    read_snapshot,
    snapshot_path,
    snapshot_paths,
    snapshot_step,
    write_snapshot,
)
from post_training_toolkit.ptt_trl.snapshots.taking import Share, assemble

START_TO_LATEST = "start-to-latest"
# Hidden states at the start, for a run that is taken up again.
_PROBE_START = "start_states.npz"


class SnapshotError(RuntimeError):
    """A snapshot that could not be taken."""


class SnapshotArchive:
    """The snapshots of one run; on rank 0, which alone writes.

    A run that is taken up again goes on from the start that it finds in its folder.
    """

    def __init__(self, folder: Path, plan: SnapshotPlan, containment: Containment) -> None:
        self._folder = folder
        self._plan = plan
        self._containment = containment
        self._start: Snapshot | None = None
        self._probe_start: ProbeStart | None = None

    def take_up(self, step: int, resume: int) -> None:
        """Find the start of a run that goes on from a step; later snapshots are set aside.

        ``resume`` is the number of the resume, which names the folder that they go to.
        """
        for path in snapshot_paths(self._folder):
            if snapshot_step(path) > step:
                aside = path.parent / f"before-resume-{resume}" / path.name
                aside.parent.mkdir(exist_ok=True)
                path.rename(aside)
        if snapshot_paths(self._folder):
            self._start = read_snapshot(snapshot_paths(self._folder)[0])
        if self._probe_path.exists():
            self._probe_start = read_probe_start(self._probe_path)

    def add(self, taken: SharesTaken, step: int, model: Mapping[str, Any]) -> Snapshot:
        """Keep a snapshot, and what has changed since the start; return it with all measures.

        Raises ``SnapshotError`` if a rank has failed to answer, and ``OSError``.
        """
        shares = [each for each in taken.shares if each is not None]
        if len(shares) < len(taken.shares):
            rank = taken.shares.index(None)
            raise SnapshotError(f"rank {rank} failed at its part of the snapshot; its log says why")
        settings = self._plan.settings
        snapshot = assemble(
            shares,
            self._plan.prompts,
            settings.generation,
            settings.classify,
            step=step,
            moment=taken.moment,
            model=model,
        )
        snapshot = replace(snapshot, measures={**snapshot.measures, **self._drift(shares[0])})
        if self._start is None:
            self._start = snapshot
        else:
            changes = changes_from_start(self._start, snapshot)
            snapshot = replace(snapshot, measures={**snapshot.measures, **changes})
        write_snapshot(snapshot_path(self._folder, step), snapshot)
        if snapshot is not self._start:
            self._containment.run("snapshot diff", self._write_diff, self._start, snapshot)
        return snapshot

    @property
    def _probe_path(self) -> Path:
        return self._folder / SNAPSHOTS / _PROBE_START

    def _drift(self, share: Share) -> dict[str, float]:
        if share.start is not None:
            self._probe_start = share.start
            write_probe_start(self._probe_path, share.start)
        if self._probe_start is None:
            return {}
        return drift_from_start(self._probe_start, share.probe)

    def _write_diff(self, start: Snapshot, snapshot: Snapshot) -> None:
        write_diff(self._folder, compare_snapshots(start, snapshot), START_TO_LATEST)


def snapshot_row(snapshot: Snapshot) -> dict[str, float]:
    """Return a snapshot as metrics of the run, which rules read."""
    return {f"{METRIC_PREFIX}{name}": value for name, value in snapshot.measures.items()} | {
        f"{METRIC_PREFIX}seconds": snapshot.seconds
    }
