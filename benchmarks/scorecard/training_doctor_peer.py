"""training-doctor, fed by its callback for Hugging Face trainers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

from benchmarks.scorecard.peer_alert import alert_as_episode
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.description import DescribedRecording
from post_training_toolkit.rules.severity import Severity

_SEVERITIES = MappingProxyType(
    {"info": Severity.LOW, "warning": Severity.MEDIUM, "critical": Severity.HIGH}
)
_FLAT = ("not_learning", "loss_plateau", "dpo_loss_random", "reward_plateau")
# Which failure modes a diagnosis may rightly be called: everything it could be meant to say.
DETECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lr_too_high": (
            "loss_divergence",
            "loss_spike",
            "gradient_explosion",
            "gradient_instability",
            "nonfinite_values",
            "policy_drift",
            "kl_explosion",
        ),
        "lr_too_low": (*_FLAT, "gradient_vanishing"),
        "plateau": _FLAT,
        "overfitting": ("overfitting", "eval_loss_rising"),
        "gradient_instability": (
            "gradient_explosion",
            "gradient_instability",
            "gradient_vanishing",
            "nonfinite_values",
        ),
    }
)


def find_with_training_doctor(recording: DescribedRecording) -> Iterator[Episode]:
    """Yield the diagnoses that it makes, with its default settings."""
    from training_doctor.integrations import HuggingFaceCallback

    callback = HuggingFaceCallback(auto_print=False)
    callback.on_train_begin(None, None, None)
    for entry in recording.entries:
        if isinstance(entry, LoggedRow):
            logs = {**entry.row.values, **entry.row.non_finite}
            callback.on_log(None, SimpleNamespace(global_step=entry.step), None, logs=logs)
    yield from map(_episode, callback.diagnoses)


def _episode(diagnosis: Any) -> Episode:
    return alert_as_episode(
        diagnosis.detector_name,
        diagnosis.step,
        _SEVERITIES[diagnosis.severity.value],
        DETECTS[diagnosis.detector_name],
        diagnosis.problem,
    )
