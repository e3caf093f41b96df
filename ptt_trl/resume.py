"""Takes up a run where its checkpoint left it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.replay import rebuild
from post_training_toolkit.engine.run_files import METADATA_START, METRICS
from post_training_toolkit.engine.seams import consolidate
from post_training_toolkit.ptt_trl.resume_validation import VERSION, compare_starts, resume_record
from post_training_toolkit.ptt_trl.run_directory import RunDirectory
from post_training_toolkit.ptt_trl.seam_comparison import SeamComparison


@dataclass(slots=True)
class Seam:
    """Where a run was taken up: the events up to there and what has changed since.

    ``changes`` are those since the first start, ``void_rows`` counts what had been logged after the
    checkpoint and no longer counts.
    """

    step: int
    events: list[Event]
    void_rows: int
    comparison: SeamComparison
    changes: list[dict[str, Any]]

    def add(self, row: Row) -> bool:
        """Take in one canonical row after the seam; return whether it completes the comparison."""
        was_complete = self.comparison.complete
        self.comparison.add(row)
        return self.comparison.complete and not was_complete

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each thing that the user should know of the resume itself."""
        if self.void_rows:
            rows = "1 row" if self.void_rows == 1 else f"{self.void_rows} rows"
            yield f"{rows} logged after the checkpoint of step {self.step} no longer count"
        for change in self.changes:
            yield (
                f"{change['what']} has changed since the first start: "
                f"{_short(change['before'])} -> {_short(change['now'])}"
            )

    def jumps(self) -> Iterator[str]:
        """Yield a sentence for each curve that does not continue where it was."""
        for curve in self.comparison.curves():
            if curve["jumped"]:
                yield (
                    f"{curve['metric']} does not continue where it was before the resume: "
                    f"{curve['before']:.4g} -> {curve['after']:.4g}"
                )

    def record(self) -> dict[str, Any]:
        """Return what is kept of this resume."""
        return resume_record(self.step, self.changes, self.void_rows, self.comparison)


def take_up(
    directory: RunDirectory,
    engine: Engine,
    canonicalizer: Canonicalizer,
    step: int,
    start: Mapping[str, Any],
) -> Seam:
    """Bring the engine to where it stood at a step, and write the insights up to there anew.

    ``start`` is the start metadata of this resume. Raises ``MetricsFileError``, ``OSError``.
    """
    directory.mend_metrics()
    entries = consolidate(read_metrics(directory.path / METRICS)).entries
    events = rebuild(entries, engine, step)
    directory.replace_insights(b"".join(map(insight_line, events)))
    rows = [entry for entry in entries if isinstance(entry, LoggedRow)]
    first = orjson.loads((directory.path / METADATA_START).read_bytes())
    return Seam(
        step=step,
        events=events,
        void_rows=sum(row.step > step for row in rows),
        comparison=SeamComparison(
            canonicalizer.canonical(row.row) for row in rows if row.step <= step
        ),
        changes=compare_starts(first, start),
    )


def write_validation(directory: RunDirectory, seam: Seam) -> None:
    """Write what this resume changed, behind what earlier ones did."""
    path = directory.resume_validation
    earlier = orjson.loads(path.read_bytes())["resumes"] if path.exists() else []
    resumes = [*earlier[: directory.start - 1], seam.record()]
    directory.write_resume_validation({"version": VERSION, "resumes": resumes})


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
