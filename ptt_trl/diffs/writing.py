"""Diffs on disk: ``diffs/start-to-latest.json`` and ``.html`` in a run directory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff
from post_training_toolkit.ptt_trl.diffs.page import render_page
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import encodable

DIFFS = "diffs"
_VERSION = 1


def write_diff(folder: Path, diff: SnapshotDiff, name: str) -> list[Path]:
    """Write a diff into the folder of a run, as JSON and as a page; raises ``OSError``."""
    place = folder / DIFFS
    place.mkdir(parents=True, exist_ok=True)
    written = {f"{name}.json": to_json(diff), f"{name}.html": render_page(diff)}
    for file, content in written.items():
        write_atomically(place / file, content.encode())
    return [place / file for file in written]


def to_json(diff: SnapshotDiff) -> str:
    """Return a diff as JSON, in the form of ``schemas/snapshot_diff.schema.json``."""
    content: dict[str, Any] = {"version": _VERSION, **asdict(diff), "unchanged": diff.unchanged}
    for flips, told in zip(diff.flips, content["flips"], strict=True):
        told["change"] = flips.change
    for shift, told in zip(diff.shifts, content["shifts"], strict=True):
        told |= {"change": shift.change, "may_be_chance": shift.may_be_chance}
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(encodable(content), option=options).decode()
