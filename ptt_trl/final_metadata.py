"""What is written down of how a run ended; needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from post_training_toolkit.engine.containment import Containment, Failure
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.masking import mask_text
from post_training_toolkit.ptt_trl.sink import RunEnding
from post_training_toolkit.ptt_trl.stop import StopOutcome

_VERSION = 1

# How a run can end.
COMPLETED = "completed"
STOPPED = "stopped"
CRASHED = "crashed"


def final_metadata(
    ending: RunEnding,
    *,
    max_steps: int | None,
    logged_rows: int,
    checkpoints: Iterable[int],
    rules_judged: int,
    not_run: Iterable[NotRun],
    containment: Containment,
    diagnostics_seconds: float | None,
    run_seconds: float | None,
) -> dict[str, Any]:
    """Return how the run ended; the seconds are those inside the callback, None if not known."""
    insights = [
        {
            "insight": episode.fired.insight,
            "severity": episode.severity,
            "caused_by": episode.caused_by,
            "ongoing": episode.ongoing,
        }
        for episode in ending.episodes
    ]
    return {
        "version": _VERSION,
        "status": ending.status,
        "last_step": ending.step,
        "max_steps": max_steps,
        "logged_rows": logged_rows,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "stop": asdict(ending.stop) if ending.stop else None,
        "checkpoints": list(checkpoints),
        "insights": insights,
        "rules_judged": rules_judged,
        "not_run": [asdict(each) for each in not_run],
        "failures": [_masked(each) for each in containment.failures.values()],
        "diagnostics_seconds": diagnostics_seconds,
        "run_seconds": run_seconds,
    }


def _masked(failure: Failure) -> dict[str, Any]:
    error, trace = mask_text(failure.error), mask_text(failure.traceback)
    return asdict(replace(failure, error=error, traceback=trace))


def final_status(run: RunDescription, step: int, stop: StopOutcome | None) -> str:
    """Return "stopped" or "completed"; a stop asked for at the last step ends nothing early."""
    return STOPPED if stop and step != run.max_steps else COMPLETED
