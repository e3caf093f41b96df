"""Reads a run directory, or what another tool recorded of a run, into one record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Episode, episodes
from post_training_toolkit.engine.insights_file import read_insights
from post_training_toolkit.engine.metrics_file import read_metrics
from post_training_toolkit.engine.readers.description import DescribedRecording, read_entries
from post_training_toolkit.engine.readers.recording import Recording
from post_training_toolkit.engine.replay import (
    RunDirectoryError,
    read_recorded_rules,
    read_run_description,
    replay,
    require_run_directory,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_FINAL,
    METADATA_START,
    METRICS,
    POSTMORTEM,
    newest,
    numbered,
)
from post_training_toolkit.ptt_trl.diffs.diff import SnapshotDiff, compare_snapshots
from post_training_toolkit.ptt_trl.postmortem.heartbeat import is_alive
from post_training_toolkit.ptt_trl.report.logged_run import gather
from post_training_toolkit.ptt_trl.report.run_record import Coverage, RunRecord
from post_training_toolkit.ptt_trl.run_directory import RESUME_VALIDATION, newest_start
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import (
    SnapshotFileError,
    read_snapshot,
    snapshot_paths,
)
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError

Advance = Callable[[int], object]

# Where the reports themselves stand; a report does not list them.
REPORTS = "reports"
_ANEW = "insights were computed anew from metrics.jsonl"


def read_run(
    folder: Path,
    *,
    final: Mapping[str, Any] | None = None,
    run: RunDescription | None = None,
    rules: Sequence[Rule] | None = None,
    advance: Advance = lambda _: None,
) -> RunRecord:
    """Read a run directory.

    ``final`` stands in for its final metadata while that is not there, ``run`` for its recorded
    description. Insights are computed anew with other ``rules``, or where the files lack some.
    ``advance`` is called after each line. Raises ``RunDirectoryError`` for a folder that lacks what
    a run always has, ``InvalidRulesError`` for broken rules that are needed, and ``OSError``.
    """
    require_run_directory(folder)
    run = run or read_run_description(folder)
    final_path = folder / numbered(METADATA_FINAL, newest_start(folder))
    problems: list[str] = []
    if final is None:
        final = _read_json(final_path, problems)
    log = gather(read_metrics(folder / METRICS), run, advance)
    if log.broken is not None:
        problems.append(f"{log.broken}; what comes after it is left out")
    elif _is_torn(folder / METRICS):
        problems.append(f"{METRICS} ends in a line that was cut off, which does not count")
    found, coverage = _insights(folder, run, final, rules, problems)
    resumes = _read_json(folder / RESUME_VALIDATION, problems) or {}
    return RunRecord(
        source=folder,
        recorded_as=None,
        run=run,
        log=log,
        episodes=tuple(found),
        coverage=coverage,
        start=_read_json(newest(folder, METADATA_START), problems) or {},
        final=final,
        postmortem=_read_json(folder / POSTMORTEM, problems),
        behaviour=_behaviour(folder, problems),
        resumes=tuple(resumes.get("resumes", ())),
        is_alive=is_alive(folder),
        problems=tuple(problems),
        files=_files(folder, [final_path.name] if final is not None else []),
    )


def judge_recording(
    path: Path, recorded_as: str, recording: DescribedRecording, engine: Engine
) -> RunRecord:
    """Run rules over what another tool recorded of a run; return it with what they found."""
    problems = list(recording.guesses)
    if recording.broken is not None:
        problems.append(f"{recording.broken}; what comes after it is left out")
    return RunRecord(
        source=path,
        recorded_as=recorded_as,
        run=recording.run,
        log=gather(recording.entries, recording.run),
        episodes=tuple(episodes(replay(recording.entries, engine))),
        coverage=Coverage(engine.rules_judged, engine.coverage()),
        start={},
        problems=tuple(problems),
    )


def _behaviour(folder: Path, problems: list[str]) -> SnapshotDiff | None:
    """Return what has changed between the first and the last snapshot of a run."""
    paths = snapshot_paths(folder)
    if len(paths) < 2:
        return None
    try:
        return compare_snapshots(read_snapshot(paths[0]), read_snapshot(paths[-1]))
    except SnapshotFileError as error:
        problems.append(str(error))
        return None


def _insights(
    folder: Path,
    run: RunDescription,
    final: Mapping[str, Any] | None,
    rules: Sequence[Rule] | None,
    problems: list[str],
) -> tuple[list[Episode], Coverage | None]:
    recorded = None
    if rules is None:
        recorded = _recorded_insights(folder, final, problems)
        if recorded is not None and final is not None:
            not_run = tuple(NotRun(**each) for each in final["not_run"])
            return recorded, Coverage(final["rules_judged"], not_run)
        try:
            rules = read_recorded_rules(folder).rules
        except (InvalidRulesError, RunDirectoryError) as error:
            if recorded is None:
                raise
            reason = str(error).splitlines()[0]
            problems.append(f"which rules could judge this run cannot be told: {reason}")
            return recorded, None
    engine = Engine(rules, run)
    entries, _ = read_entries(Recording(read_metrics(folder / METRICS), run))
    found = episodes(replay(entries, engine))
    return found, Coverage(engine.rules_judged, engine.coverage())


def _recorded_insights(
    folder: Path, final: Mapping[str, Any] | None, problems: list[str]
) -> list[Episode] | None:
    """Return the insights in their file, or None where that is not whole, and say so."""
    path = folder / INSIGHTS
    if not path.exists():
        problems.append(f"{INSIGHTS} is missing: {_ANEW}")
        return None
    if _is_torn(path):
        problems.append(f"{INSIGHTS} ends in a line that was cut off: {_ANEW}")
        return None
    try:
        found = episodes(read_insights(path))
    except (KeyError, TypeError, ValueError) as error:
        problems.append(f"{INSIGHTS} is broken ({type(error).__name__}: {error}): {_ANEW}")
        return None
    told = {each["insight"] for each in final["insights"]} if final is not None else set()
    if told - {each.fired.insight for each in found}:
        problems.append(f"{INSIGHTS} lacks insights that were told: {_ANEW}")
        return None
    return found


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _read_json(path: Path, problems: list[str]) -> dict[str, Any] | None:
    """Return the object in a file; None without the file, or with a broken one, which is told."""
    if not path.exists():
        return None
    try:
        read = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        problems.append(f"{path.name} is no JSON ({error}) and is left out")
        return None
    return read if isinstance(read, dict) else None


def _files(folder: Path, coming: Sequence[str]) -> tuple[str, ...]:
    """Return the files of a run but for its reports, with those that are about to be written."""
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    listed = {each for each in found if not each.startswith(f"{REPORTS}/")}
    return tuple(sorted(listed.union(coming)))
