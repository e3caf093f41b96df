"""What the two metadata files of a run say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl import provenance
from post_training_toolkit.ptt_trl.data_identity import data_identity
from post_training_toolkit.ptt_trl.sink import RunEnding
from post_training_toolkit.ptt_trl.stop import StopOutcome, StopPolicy
from post_training_toolkit.ptt_trl.training_parts import TrainingParts
from post_training_toolkit.rules.model import RuleBundle

_VERSION = 1


def start_metadata(
    run: RunDescription,
    bundle: RuleBundle,
    stop_policy: StopPolicy | None,
    parts: TrainingParts,
    resumed_at: int | None,
    containment: Containment,
) -> dict[str, Any]:
    """Return what is known before the first step; provenance that fails is left empty."""
    ask = containment.run
    tokenizer = parts.processing_class
    return {
        "version": _VERSION,
        "trainer": run.trainer,
        "trainer_class": type(parts.trainer).__name__ if parts.trainer is not None else None,
        "configuration": dict(run.configuration),
        "max_steps": run.max_steps,
        "logging_steps": run.logging_steps,
        "started_at": _now(),
        "resumed_at": resumed_at,
        "configuration_sha256": ask(
            "configuration hash", provenance.configuration_hash, run.configuration
        ),
        "rules": [source.name for source in bundle.sources],
        "rules_sha256": ask("rules hash", provenance.rules_hash, bundle),
        "stop_on": stop_policy.to_json() if stop_policy else None,
        "packages": ask("package versions", provenance.package_versions),
        "git": ask("git state", provenance.git_state),
        "hardware": ask("hardware", provenance.hardware),
        "model": ask("model identity", provenance.model_identity, parts.model),
        "reference_model": ask("reference identity", provenance.reference_identity, parts),
        "tokenizer": type(tokenizer).__name__ if tokenizer is not None else None,
        "dataset": ask("data identity", data_identity, parts.train_dataset),
    }


def final_metadata(
    ending: RunEnding,
    *,
    max_steps: int | None,
    logged_rows: int,
    checkpoints: Iterable[int],
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
        for episode in ending.episodes
    ]
    return {
        "version": _VERSION,
        "status": ending.status,
        "last_step": ending.step,
        "max_steps": max_steps,
        "logged_rows": logged_rows,
        "ended_at": _now(),
        "stop": asdict(ending.stop) if ending.stop else None,
        "checkpoints": list(checkpoints),
        "insights": insights,
        "rules_judged": rules_judged,
        "not_run": [asdict(each) for each in not_run],
        "failures": [asdict(each) for each in containment.failures.values()],
    }


def final_status(run: RunDescription, step: int, stop: StopOutcome | None) -> str:
    """Return "stopped" or "completed"; a stop asked for at the last step ends nothing early."""
    return "stopped" if stop and step != run.max_steps else "completed"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
