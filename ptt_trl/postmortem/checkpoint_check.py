"""Tells whether a checkpoint of a trainer is whole, without loading it.

Only the standard library: the watcher process asks, too.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = re.compile(r"checkpoint-(\d+)")
# transformers leaves it in a checkpoint that a SIGTERM asked for, until that is written.
_UNFINISHED = "checkpoint-is-incomplete.txt"
# The trainer writes it last.
_STATE = "trainer_state.json"
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class CheckedCheckpoint:
    """A checkpoint on disk; ``problem`` says what is wrong with it, None if it is whole."""

    path: Path
    step: int
    problem: str | None


def checkpoint_folder(output_dir: Path, step: int) -> Path:
    """Return where the trainer saves the checkpoint of a step.

    >>> checkpoint_folder(Path("run"), 50).name
    'checkpoint-50'
    """
    return output_dir / f"checkpoint-{step}"


def last_checkpoint(
    output_dir: Path, *, since: float, resumed_at: int | None
) -> CheckedCheckpoint | None:
    """Return the newest checkpoint of a run; None without.

    Its own are those written since a time, in seconds since the epoch, and the one that it was
    resumed from, if it was; others in the folder are another run's.
    """
    steps = checkpoint_steps(output_dir, since=since, resumed_at=resumed_at)
    if not steps:
        return None
    path = checkpoint_folder(output_dir, steps[-1])
    return CheckedCheckpoint(path, steps[-1], checkpoint_problem(path))


def checkpoint_steps(output_dir: Path, *, since: float, resumed_at: int | None) -> list[int]:
    """Return the steps of a run's own checkpoints, oldest first."""
    return sorted(
        step
        for step, path in _checkpoints(output_dir)
        if step == resumed_at or path.stat().st_mtime >= since
    )


def checkpoint_problem(folder: Path) -> str | None:
    """Return what keeps a checkpoint from being loaded; None if nothing is seen.

    Looked at are the trainer's state, which it writes last, and the lengths of safetensors files.
    """
    if (folder / _UNFINISHED).exists():
        return "it was still being written"
    for path in sorted(folder.glob("*.safetensors")):
        if _is_cut_off(path):
            return f"{path.name} is cut off"
    for path in sorted(folder.glob("*.safetensors.index.json")):
        missing = _missing_shards(path)
        if missing:
            return f"{missing[0]} is missing"
    try:
        json.loads((folder / _STATE).read_bytes())
    except FileNotFoundError:
        return f"{_STATE} is missing, which is written last"
    except (OSError, ValueError):
        return f"{_STATE} cannot be read"
    return None


def _checkpoints(output_dir: Path) -> Iterator[tuple[int, Path]]:
    if not output_dir.is_dir():
        return
    for path in output_dir.iterdir():
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir():
            yield int(match[1]), path


def _is_cut_off(path: Path) -> bool:
    """Compare a safetensors file's length with what its header promises."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(_LENGTH.size)
            if len(start) < _LENGTH.size:
                return True
            (length,) = _LENGTH.unpack(start)
            if length > size:
                return True
            header = json.loads(file.read(length))
        ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
        promised: int = _LENGTH.size + length + max(ends, default=0)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError):
        # No header that anybody could load.
        return True
    return size < promised


def _missing_shards(index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return [index.name]
    return sorted(name for name in names if not (index.parent / name).exists())
