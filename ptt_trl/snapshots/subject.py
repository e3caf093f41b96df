"""What a user names to be compared: a snapshot, a run, or a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.engine.run_files import DEFAULT_FOLDER, METRICS
from post_training_toolkit.ptt_trl.snapshots.model_directory import is_model_directory
from post_training_toolkit.ptt_trl.snapshots.snapshot import Snapshot
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import (
    SNAPSHOTS,
    read_snapshot,
    snapshot_path,
    snapshot_paths,
    snapshot_step,
)

_AT_STEP = re.compile(r"(?P<run>.+)@(?P<step>\d+)")


class SubjectError(ValueError):
    """Something named that has no snapshot; the message says how there would be one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One side of a comparison: what the user called it, and its snapshot or a model's folder."""

    name: str
    source: Snapshot | Path


def find_subject(text: str) -> Subject:
    """Return what a user means: a file, ``RUN_DIR`` (its latest snapshot), ``RUN_DIR@STEP``, model.

    Raises ``SubjectError``, ``SnapshotFileError`` and ``OSError``.
    """
    path, step = Path(text), None
    if not path.exists() and (match := _AT_STEP.fullmatch(text)):
        path, step = Path(match["run"]), int(match["step"])
    if not path.exists():
        raise SubjectError(f"{path}: there is no such file or folder")
    if path.is_file():
        return Subject(text, read_snapshot(path))
    run = run_folder(path)
    if run is not None:
        return Subject(text, read_snapshot(_snapshot_of(run, step)))
    if is_model_directory(path) and step is None:
        return Subject(text, path)
    raise SubjectError(
        f"{path}: neither the folder of a run ({METRICS}, {SNAPSHOTS}/) nor that of a model "
        "(config.json)"
    )


def first_and_last(text: str) -> tuple[Subject, Subject]:
    """Return the start and the latest snapshot of a run; raises as ``find_subject`` does."""
    run = run_folder(Path(text))
    if run is None:
        raise SubjectError(f"{text}: this is no folder of a run; name two things to compare")
    latest, start = _snapshot_of(run, None), snapshot_paths(run)[0]
    if latest == start:
        message = "there is one snapshot only; name another to compare it with"
        raise SubjectError(f"{start}: {message}")
    first, last = read_snapshot(start), read_snapshot(latest)
    return Subject(f"step {first.step}", first), Subject(f"step {last.step}", last)


def run_folder(path: Path) -> Path | None:
    """Return the folder of a run, given it or the trainer's output_dir; None if it is neither."""
    for folder in (path, path / DEFAULT_FOLDER):
        if (folder / METRICS).exists() or (folder / SNAPSHOTS).is_dir():
            return folder
    return None


def _snapshot_of(run: Path, step: int | None) -> Path:
    paths = snapshot_paths(run)
    if not paths:
        raise SubjectError(
            f"{run}: this run has no snapshots; train with DiagnosticsCallback(snapshots=True), "
            "or compare its checkpoints"
        )
    if step is None:
        return paths[-1]
    found = snapshot_path(run, step)
    if found not in paths:
        steps = ", ".join(str(snapshot_step(each)) for each in paths)
        raise SubjectError(f"{run}: there is no snapshot of step {step}; there are {steps}")
    return found
