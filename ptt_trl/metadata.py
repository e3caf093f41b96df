"""What the two metadata files of a run say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.event import Event, episodes
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl import provenance
from post_training_toolkit.ptt_trl.stop import StopOutcome, StopPolicy
from post_training_toolkit.rules.model import RuleBundle

_VERSION = 1


def start_metadata(
    run: RunDescription,
    bundle: RuleBundle,
    stop_policy: StopPolicy | None,
    model: torch.nn.Module | None,
    tokenizer: object,
    containment: Containment,
) -> dict[str, Any]:
    """Return what is known before the first step; provenance that fails is left empty."""
    ask = containment.run
    return {
        "version": _VERSION,
        "trainer": run.trainer,
        "configuration": dict(run.configuration),
        "max_steps": run.max_steps,
        "logging_steps": run.logging_steps,
        "started_at": _now(),
        "configuration_sha256": ask(
            "configuration hash", provenance.configuration_hash, run.configuration
        ),
        "rules": [source.name for source in bundle.sources],
        "stop_on": stop_policy.severity if stop_policy else None,
        "packages": ask("package versions", provenance.package_versions),
        "git": ask("git state", provenance.git_state),
        "hardware": ask("hardware", provenance.hardware),
        "model": ask("model identity", provenance.model_identity, model),
        "tokenizer": type(tokenizer).__name__ if tokenizer is not None else None,
    }


def final_metadata(
    *,
    run: RunDescription,
    step: int,
    logged_rows: int,
    stop: StopOutcome | None,
    events: Iterable[Event],
    rules_judged: int,
    not_run: Iterable[NotRun],
    containment: Containment,
) -> dict[str, Any]:
    """Return how the run ended."""
    insights = [
        {
            "insight": episode.fired.insight,
            "severity": episode.severity,
            "caused_by": episode.caused_by,
            "ongoing": episode.ongoing,
        }
        for episode in episodes(events)
    ]
    return {
        "version": _VERSION,
        # A rule may ask for a stop at the last step, which ends nothing early.
        "status": "stopped" if stop and step != run.max_steps else "completed",
        "last_step": step,
        "max_steps": run.max_steps,
        "logged_rows": logged_rows,
        "ended_at": _now(),
        "stop": asdict(stop) if stop else None,
        "insights": insights,
        "rules_judged": rules_judged,
        "not_run": [asdict(each) for each in not_run],
        "failures": [asdict(each) for each in containment.failures.values()],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
