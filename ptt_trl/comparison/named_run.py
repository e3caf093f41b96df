"""A run as it takes part in a comparison, under a name that no other one has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.ptt_trl.report.content import Report
from post_training_toolkit.ptt_trl.report.run_record import RunRecord


@dataclass(frozen=True, slots=True)
class NamedRun:
    """One run: what was read of it, and what its own report says."""

    name: str
    record: RunRecord
    report: Report


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return names for runs: their paths without what all of them begin and end with.

    The paths are different ones.

    >>> run_names([Path("/work/low/ptt"), Path("/work/high/ptt")])
    ['low', 'high']
    """
    parts = [path.resolve().parts for path in paths]
    while _one_ahead(parts) and len({each[0] for each in parts}) == 1:
        parts = [each[1:] for each in parts]
    while _one_ahead(parts) and len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] for each in parts]
    return [Path(*each).as_posix() for each in parts]


def _one_ahead(parts: Sequence[Sequence[str]]) -> bool:
    return all(len(each) > 1 for each in parts)
