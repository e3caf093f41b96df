"""Gathers the entries of a run into columns, one entry at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
)
from post_training_toolkit.engine.readers.recording import RecordingError
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.report.series import MetricColumns, Series
from post_training_toolkit.rules.profile import load_profile


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What counts of the entries of a run.

    ``rows`` is how many rows there are, ``last_step`` the newest step of which anything is known.
    ``seams`` are the steps at which the run was taken up again, ``end`` how it ended; None for one
    that has not. ``broken`` says where and why the reading ended early.
    """

    series: Mapping[str, Series]
    rows: int
    last_step: int
    seams: tuple[int, ...]
    end: Milestone | None
    broken: str | None


def gather(
    entries: Iterable[MetricsEntry],
    run: RunDescription,
    advance: Callable[[int], object] = lambda _: None,
) -> LoggedRun:
    """Return what counts of the entries; the same rows as ``engine.seams.consolidate`` gives.

    Unlike that it never holds all rows at once. ``advance`` is called after each entry.

    >>> from post_training_toolkit.engine.door import admit
    >>> rows = [LoggedRow(step, None, admit({"loss": 1.0})) for step in (10, 20, 30, 20)]
    >>> gather(rows, RunDescription()).series["loss"].steps.tolist()
    [10, 20]
    """
    gathering = _Gathering(MetricColumns(load_profile(run.trainer), run.configuration))
    broken = None
    try:
        for entry in entries:
            gathering.take(entry)
            advance(1)
    except (MetricsFileError, RecordingError) as error:
        broken = str(error)
    return gathering.result(broken)


class _Gathering:
    """The columns so far, the end that was seen, and where the run was taken up again."""

    def __init__(self, columns: MetricColumns) -> None:
        self._columns = columns
        self._begun = False
        self._end: Milestone | None = None
        self._seams: list[int] = []

    def take(self, entry: MetricsEntry) -> None:
        match entry:
            case Milestone(event="train_begin", step=step):
                if self._begun:
                    self._go_back(step)
            case Milestone():
                self._end = entry
            case LoggedRow(step=step, row=row):
                if self._columns.newest_step > step:
                    self._go_back(step - 1)
                if self._end is None:
                    self._columns.add(step, row)
        self._begun = True

    def result(self, broken: str | None) -> LoggedRun:
        end = self._end
        return LoggedRun(
            series=self._columns.series(),
            rows=len(self._columns),
            last_step=max(self._columns.newest_step, end.step if end is not None else 0),
            seams=tuple(self._seams),
            end=end,
            broken=broken,
        )

    def _go_back(self, step: int) -> None:
        self._columns.drop_after(step)
        self._end = None
        self._seams.append(step)
