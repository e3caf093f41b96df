"""Makes the files of a run that died as whole as if it had ended: from what is on disk alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, episodes
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.engine.replay import (
    read_recorded_rules,
    read_run_description,
    replay,
    require_run_directory,
)
from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_START,
    METRICS,
    newest,
)
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.final_metadata import (
    COMPLETED,
    CRASHED,
    STOPPED,
    final_metadata,
)
from post_training_toolkit.ptt_trl.postmortem.checkpoint_check import checkpoint_steps
from post_training_toolkit.ptt_trl.postmortem.exit_reason import CRASHED as CRASHED_IN_NATIVE_CODE
from post_training_toolkit.ptt_trl.postmortem.exit_reason import UNKNOWN
from post_training_toolkit.ptt_trl.postmortem.fault_stacks import fatal_error, read_stacks
from post_training_toolkit.ptt_trl.postmortem.heartbeat import Heartbeat, read_beat
from post_training_toolkit.ptt_trl.postmortem.record import (
    Circumstances,
    compose,
    read_postmortem,
    update_insights,
    write_postmortem,
)
from post_training_toolkit.ptt_trl.report.writing import write_reports
from post_training_toolkit.ptt_trl.run_directory import RunDirectory, newest_start
from post_training_toolkit.ptt_trl.sink import RunEnding
from post_training_toolkit.rules.catalogue import toolkit_metrics


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """What became of a run directory: how the run died, and parts that could not be written.

    ``postmortem`` is None for a run that did not die.
    """

    last_step: int
    postmortem: Mapping[str, Any] | None
    containment: Containment


def complete(folder: Path) -> CompletedRun:
    """Write what a process that died could not: post-mortem, insights, final metadata, reports.

    What is there already stays: the post-mortem keeps how the death was seen, and gets the insights
    of the rules that know it. Doing it again changes nothing. A run that had ended before its
    process died gets no post-mortem.

    Raises ``RunDirectoryError`` for what is no run directory, ``RunInUseError`` while the run is
    alive, ``MetricsFileError`` and ``InvalidRulesError`` for broken files, and ``OSError``.
    """
    require_run_directory(folder)
    beat = read_beat(folder)
    heartbeat = Heartbeat(folder)
    try:
        return _complete(RunDirectory(folder, newest_start(folder)))
    finally:
        # It is kept as long as something may still be asked of it.
        (heartbeat.close if beat is not None else heartbeat.remove)()


def _complete(directory: RunDirectory) -> CompletedRun:
    folder = directory.path
    written = (folder / METRICS).stat().st_mtime
    directory.mend_metrics()
    entries = list(read_metrics(folder / METRICS))
    ended = next((each for each in reversed(entries) if isinstance(each, Milestone)), None)
    postmortem = read_postmortem(folder)
    if postmortem is None and ended is not None and ended.event == "train_end":
        if directory.metadata_final.exists() and directory.report.exists():
            return CompletedRun(ended.step, None, Containment())
        return _replayed(directory, entries, ended.step, None)
    if postmortem is None:
        death = ended.death if ended is not None else None
        postmortem = compose(folder, _circumstances(folder, death, written))
        write_postmortem(folder, postmortem)
    if ended is None or ended.event == "train_begin":
        entries.append(_append_death(directory, postmortem))
    return _replayed(directory, entries, postmortem["last_step"], postmortem)


def _append_death(directory: RunDirectory, postmortem: Mapping[str, Any]) -> Milestone:
    death = Death(
        postmortem["exit_reason"],
        postmortem["signal"],
        postmortem["exit_code"],
        postmortem["traceback"] or postmortem["error"] or "",
    )
    milestone = Milestone("exception", postmortem["last_step"], time=time.time(), death=death)
    directory.append_metrics(metrics_line(milestone))
    return milestone


def _replayed(
    directory: RunDirectory,
    entries: list[MetricsEntry],
    step: int,
    postmortem: Mapping[str, Any] | None,
) -> CompletedRun:
    folder = directory.path
    containment = Containment()
    engine = Engine(read_recorded_rules(folder).rules, read_run_description(folder), containment)
    events = list(replay(entries, engine))
    write_atomically(folder / INSIGHTS, b"".join(map(insight_line, events)))
    if postmortem is not None:
        # Now there are those of the rules that know this death.
        postmortem = update_insights(folder, postmortem)
        write_postmortem(folder, postmortem)
    if not directory.metadata_final.exists():
        ending = _ending(directory, events, step, died=postmortem is not None)
        directory.write_metadata_final(_final(ending, directory, entries, engine, containment))
    write_reports(folder, containment)
    return CompletedRun(step, postmortem, containment)


def _ending(directory: RunDirectory, events: list[Event], step: int, *, died: bool) -> RunEnding:
    if died:
        status = CRASHED
    else:
        whole = read_run_description(directory.path).max_steps in (None, step)
        status = COMPLETED if whole else STOPPED
    return RunEnding(status, step, tuple(episodes(events)), None, directory.report)


def _final(
    ending: RunEnding,
    directory: RunDirectory,
    entries: list[MetricsEntry],
    engine: Engine,
    containment: Containment,
) -> dict[str, Any]:
    beat = read_beat(directory.path)
    return final_metadata(
        ending,
        max_steps=read_run_description(directory.path).max_steps,
        logged_rows=sum(map(_is_logged_by_trainer, entries)),
        checkpoints=_checkpoints(directory.path),
        rules_judged=engine.rules_judged,
        not_run=engine.coverage(),
        containment=containment,
        diagnostics_seconds=None,
        run_seconds=round(beat.time - beat.began, 3) if beat is not None else None,
    )


def _checkpoints(folder: Path) -> list[int]:
    output_dir, beat = _output_dir(folder), read_beat(folder)
    if output_dir is None:
        return []
    since = beat.began if beat is not None else 0.0
    return checkpoint_steps(output_dir, since=since, resumed_at=_start(folder).get("resumed_at"))


def _is_logged_by_trainer(entry: MetricsEntry) -> bool:
    return isinstance(entry, LoggedRow) and not (entry.row.values.keys() & toolkit_metrics())


def _start(folder: Path) -> dict[str, Any]:
    start: dict[str, Any] = orjson.loads(newest(folder, METADATA_START).read_bytes())
    return start


def _output_dir(folder: Path) -> Path | None:
    """Return where the trainer kept its checkpoints, as the start metadata tell."""
    start = _start(folder)
    output_dir = start.get("configuration", {}).get("output_dir")
    if output_dir is None:
        return None
    return Path(start.get("working_directory") or ".", output_dir)


def _circumstances(folder: Path, death: Death | None, written: float) -> Circumstances:
    """Return what can still be told of a death; ``written`` is when the last row was."""
    beat = read_beat(folder)
    output_dir = _output_dir(folder)
    if death is None:
        stacks = read_stacks(folder) or ""
        reason = UNKNOWN if fatal_error(stacks) is None else CRASHED_IN_NATIVE_CODE
        death = Death(reason, text=stacks)
    return Circumstances(
        exit_reason=death.exit_reason,
        caught_by="ptt postmortem",
        time=beat.time if beat is not None else written,
        process_id=beat.process_id if beat is not None else None,
        output_dir=str(output_dir) if output_dir is not None else None,
        signal=death.signal,
        exit_code=death.exit_code,
        error=fatal_error(death.text) or death.error or None,
        traceback=death.text or None,
    )
