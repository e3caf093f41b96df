"""Everything that a report tells of, as it was read from the files of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff
from post_training_toolkit.ptt_trl.report.logged_run import LoggedRun


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rules judged a run, and those that could not."""

    rules_judged: int
    not_run: tuple[NotRun, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, whoever recorded it.

    ``recorded_as`` is the format of what another tool recorded, None for a run directory. ``start``
    and ``final`` are the metadata of the newest start; ``start`` is empty for what another tool
    recorded, ``final`` None for a run that has not ended, or could not say so. ``is_alive`` says
    whether its process still writes. ``episodes`` are in order of severity. ``coverage`` is None
    where it is not known. ``behaviour`` is what has changed from its first snapshot to its last,
    None without two of them. ``problems`` are sentences on what is wrong with the files.
    """

    source: Path
    recorded_as: str | None
    run: RunDescription
    log: LoggedRun
    episodes: tuple[Episode, ...]
    coverage: Coverage | None
    start: Mapping[str, Any]
    final: Mapping[str, Any] | None = None
    postmortem: Mapping[str, Any] | None = None
    behaviour: SnapshotDiff | None = None
    resumes: tuple[Mapping[str, Any], ...] = ()
    is_alive: bool = False
    problems: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
