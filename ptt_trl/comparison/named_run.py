"""A run as it takes part in a comparison, under a name that no other one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.ptt_trl.report.best_step import without_hidden_nan
from post_training_toolkit.ptt_trl.report.content import Report, compose
from post_training_toolkit.ptt_trl.report.run_record import RunRecord
from post_training_toolkit.ptt_trl.report.series import Series
from post_training_toolkit.rules.profile import load_profile


@dataclass(frozen=True, slots=True)
class NamedRun:
    """One run: what was read of it, and what its own report says.

    ``series`` are its metrics by canonical name, with NaN where a trainer hid one.
    """

    name: str
    record: RunRecord
    report: Report
    series: Mapping[str, Series]


def named_runs(records: Sequence[RunRecord]) -> list[NamedRun]:
    """Give each run a name, and its report."""
    names = run_names([each.source for each in records])
    return [
        NamedRun(name, record, compose(record), _series(record))
        for name, record in zip(names, records, strict=True)
    ]


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


def _series(record: RunRecord) -> dict[str, Series]:
    logged = record.log.series
    judging = load_profile(record.run.trainer).directions
    return {
        name: without_hidden_nan(each, logged) if name in judging else each
        for name, each in logged.items()
    }


def _one_ahead(parts: Sequence[Sequence[str]]) -> bool:
    return all(len(each) > 1 for each in parts)
