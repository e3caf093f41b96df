"""What is written down of a run before its first step."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl import provenance
from post_training_toolkit.ptt_trl.data_identity import data_identity
from post_training_toolkit.ptt_trl.machine_identity import hardware
from post_training_toolkit.ptt_trl.model_identity import model_identity, reference_identity
from post_training_toolkit.ptt_trl.stop import StopPolicy
from post_training_toolkit.ptt_trl.tokenizer_identity import tokenizer_identity
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
        "python": platform.python_version(),
        "command": ask("command line", provenance.command),
        "working_directory": ask("working directory", _working_directory),
        "environment": ask("environment", provenance.environment),
        "hardware": ask("hardware", hardware),
        "seed": run.configuration.get("seed"),
        "model": ask("model identity", model_identity, parts.model),
        "reference_model": ask("reference identity", reference_identity, parts),
        "tokenizer": ask("tokenizer identity", tokenizer_identity, parts.processing_class),
        "dataset": ask("data identity", data_identity, parts.train_dataset),
    }


def _working_directory() -> str:
    return str(Path.cwd())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
