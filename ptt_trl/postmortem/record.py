"""Writes ``postmortem.json`` from what is on disk and the circumstances of a death.

Only the standard library: the watcher process must do it in milliseconds, with next to no memory.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_START,
    METRICS,
    POSTMORTEM,
    newest,
)
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.masking import mask_text
from post_training_toolkit.ptt_trl.postmortem.checkpoint_check import last_checkpoint
from post_training_toolkit.ptt_trl.postmortem.elastic_errors import first_failing_rank
from post_training_toolkit.ptt_trl.postmortem.heartbeat import Beat, read_beat
from post_training_toolkit.ptt_trl.postmortem.memory import MemoryReading

VERSION = 1
TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
# Of metrics.jsonl only the end matters, however long the run was.
_TAIL_BYTES = 2**18
_SEVERITIES = ("low", "medium", "high", "critical")
_SERIOUS = _SEVERITIES.index("high")
# Rows of the toolkit itself say nothing of the last step of training.
_OWN_METRICS = ("preflight/", "memory/", "step_time/", "data_time/", "non_finite/")
_FIELDS = {"version", "exit_reason", "caught_by", "signal", "process_id", "timestamp", "error"}
_FIELDS |= {"exit_code", "traceback", "memory", "last_step", "insights", "last_checkpoint"}
# Without these a line of the insights file is none that this toolkit wrote.
_NEEDED = {"severity", "last_sound_step", "detects"}
# What an insight that holds may change.
_CHANGING = ("severity", "message", "caused_by")
_SHOWN = (
    "insight",
    "rule",
    "severity",
    "message",
    "first_step",
    "caused_by",
    "remediation",
    "citations",
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How a run came to its end, as far as its files do not tell.

    ``exit_reason`` is one of those in the schema, ``caught_by`` who noticed: "train", "signal
    handler", "watcher" or "ptt postmortem". ``time`` is in seconds since the epoch.
    ``error_file`` is where torchrun reads of this rank's error. Texts are masked when written.
    """

    exit_reason: str
    caught_by: str
    time: float
    process_id: int | None
    output_dir: str | None
    signal: str | None = None
    exit_code: int | None = None
    error: str | None = None
    traceback: str | None = None
    memory: MemoryReading | None = None
    error_file: str | None = None

    def facts(self) -> Death:
        """Return what rules about deaths look at."""
        text = self.traceback or self.error or ""
        return Death(self.exit_reason, self.signal, self.exit_code, mask_text(text))


def compose(folder: Path, death: Circumstances) -> dict[str, Any]:
    """Return the post-mortem of the run in a run directory; files that are missing say nothing."""
    beat = read_beat(folder)
    rows = _last_lines(folder / METRICS)
    newest_step = max((row["step"] for row in rows), default=0)
    last_step = max(newest_step, beat.step if beat is not None else 0)
    insights = _open_insights(folder)
    start = _json(newest(folder, METADATA_START)) or {}
    return {
        "version": VERSION,
        "exit_reason": death.exit_reason,
        "caught_by": death.caught_by,
        "signal": death.signal,
        "exit_code": death.exit_code,
        "timestamp": timestamp(death.time),
        "rank": 0,
        "process_id": death.process_id,
        "last_step": last_step,
        "last_good_step": _last_good_step(insights, last_step),
        "last_checkpoint": _checkpoint(death.output_dir, start, beat),
        "error": None if death.error is None else mask_text(death.error),
        "traceback": None if death.traceback is None else mask_text(death.traceback),
        "final_metrics": _final_metrics(rows, start.get("trainer")),
        "insights": [_shown(each) for each in insights],
        "memory": asdict(death.memory) if death.memory is not None else None,
        "first_failing_rank": _first_failing_rank(death.error_file),
        "seconds_since_last_step": _seconds(beat.time, death.time) if beat is not None else None,
        "run_seconds": _seconds(beat.began, death.time) if beat is not None else None,
    }


def write_postmortem(folder: Path, postmortem: Mapping[str, Any]) -> None:
    """Write it so that a reader sees a whole file or none; raises ``OSError``."""
    text = json.dumps(postmortem, indent=2, ensure_ascii=False)
    write_atomically(folder / POSTMORTEM, f"{text}\n".encode("utf-8", "backslashreplace"))


def read_postmortem(folder: Path) -> dict[str, Any] | None:
    """Return what a post-mortem says; None without one, or if it is none of this version."""
    found = _json(folder / POSTMORTEM)
    return found if found is not None and found.keys() >= _FIELDS else None


def tells_of(postmortem: Mapping[str, Any] | None, process_id: int) -> bool:
    """Return whether there is a post-mortem, and it is that of a process."""
    return postmortem is not None and postmortem["process_id"] == process_id


def has_ended(folder: Path) -> bool:
    """Return whether the newest start of a run has come to its end, whatever its process does."""
    marks = [row["event"] for row in _last_lines(folder / METRICS) if "event" in row]
    return marks[-1:] == ["train_end"]


def update_insights(folder: Path, postmortem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a post-mortem with the insights that hold by now, as the insights file tells them."""
    return {**postmortem, "insights": [_shown(each) for each in _open_insights(folder)]}


def _shown(insight: Mapping[str, Any]) -> dict[str, Any]:
    return {name: insight.get(name) for name in _SHOWN}


def _open_insights(folder: Path) -> list[dict[str, Any]]:
    """Return the insights that no line of the insights file closes, worst first.

    Each is its line of firing, with severity and message of its rise and the root cause it was
    folded under later.
    """
    found: dict[str, dict[str, Any]] = {}
    for line in _lines(folder / INSIGHTS):
        name = line.get("insight", "")
        if line.get("event") == "fired" and line.keys() >= _NEEDED:
            found[name] = line
        elif line.get("event") == "resolved":
            found.pop(name, None)
        elif name in found:
            found[name].update((key, line[key]) for key in _CHANGING if key in line)
    return sorted(found.values(), key=lambda each: -_SEVERITIES.index(each["severity"]))


def timestamp(seconds: float) -> str:
    """Return a time as the walkthrough of the project shows it.

    >>> timestamp(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime(TIMESTAMP)


def _last_good_step(insights: Sequence[Mapping[str, Any]], last_step: int) -> int:
    """Return the newest logged step from before all the serious trouble that was open."""
    serious = [
        each["last_sound_step"]
        for each in insights
        if _SEVERITIES.index(each["severity"]) >= _SERIOUS and "crash" not in each["detects"]
    ]
    return min(serious, default=last_step)


def _checkpoint(
    output_dir: str | None, start: Mapping[str, Any], beat: Beat | None
) -> dict[str, Any] | None:
    if output_dir is None:
        return None
    since = beat.began if beat is not None else 0.0
    resumed_at = start.get("resumed_at")
    found = last_checkpoint(Path(output_dir), since=since, resumed_at=resumed_at)
    if found is None:
        return None
    return {
        "path": str(found.path),
        "step": found.step,
        "complete": found.problem is None,
        "problem": found.problem,
    }


def _first_failing_rank(error_file: str | None) -> dict[str, Any] | None:
    first = first_failing_rank(error_file)
    if first is None:
        return None
    return {
        "rank": first.rank,
        "error": mask_text(first.error),
        "traceback": mask_text(first.traceback),
        "timestamp": timestamp(first.time),
    }


def _final_metrics(rows: Sequence[Mapping[str, Any]], trainer: str | None) -> dict[str, Any]:
    """Return all that was logged at the newest step that the trainer logged, with its step.

    Canonical names stand beside the trainer's own; ``loss`` also bears the trainer's name.
    """
    steps = [row["step"] for row in rows if _is_of_trainer(row)]
    if not steps:
        return {}
    metrics: dict[str, Any] = {"step": steps[-1]}
    newest_rows = [row for row in rows if row["step"] == steps[-1]]
    for row in sorted(newest_rows, key=_is_of_trainer, reverse=True):
        metrics |= {**row.get("logs", {}), **row.get("canonical", {})}
    if trainer is not None and "loss" in metrics:
        metrics[f"{trainer}_loss"] = metrics["loss"]
    return metrics


def _is_of_trainer(row: Mapping[str, Any]) -> bool:
    return any(not name.startswith(_OWN_METRICS) for name in row.get("logs", {}))


def _last_lines(path: Path) -> list[dict[str, Any]]:
    """Return the newest lines of a metrics file, as far as they are whole."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL_BYTES, 0))
        lines = file.read().split(b"\n")
        # The first may be half a line, the last is empty or torn.
        return list(_parsed(lines[1 if size > _TAIL_BYTES else 0 : -1]))
    return []


def _lines(path: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError):
        return list(_parsed(path.read_bytes().split(b"\n")[:-1]))
    return []


def _parsed(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                yield entry


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _seconds(since: float, until: float) -> float:
    return round(max(until - since, 0.0), 3)
