"""rlwatch, fed by its ``log_step`` as its callback for TRL does."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.scorecard.peer_alert import alert_as_episode
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.description import DescribedRecording
from post_training_toolkit.rules.severity import Severity

_SEVERITIES = MappingProxyType({"warning": Severity.MEDIUM, "critical": Severity.HIGH})
# What each argument of log_step is called in a row, the first that is there. The keys of its own
# callback come first; those of PPO and online DPO, which that callback does not know, follow.
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "entropy": ("entropy", "policy/entropy_avg"),
        "kl_divergence": ("kl", "objective/kl"),
        "reward_mean": ("reward", "objective/scores"),
        "reward_std": ("reward_std",),
        "loss": ("loss", "train_loss", "loss/policy_avg"),
        "learning_rate": ("learning_rate", "lr"),
        "clip_fraction": ("policy/clipfrac_avg", "clip_ratio/region_mean"),
        "grad_norm": ("grad_norm",),
    }
)
# Which failure modes an alert may rightly be called: everything it could be meant to say.
DETECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "entropy_collapse": ("entropy_collapse", "reward_hacking", "overfitting"),
        "kl_explosion": ("kl_explosion", "policy_drift", "reward_hacking"),
        "reward_hacking": (
            "reward_hacking",
            "reward_variance_spike",
            "reward_jump",
            "reward_collapse",
        ),
        "advantage_variance": ("reward_variance_spike", "value_divergence"),
        "loss_nan": ("nonfinite_values", "loss_divergence"),
        "gradient_norm_spike": (
            "gradient_explosion",
            "gradient_instability",
            "loss_spike",
            "loss_divergence",
        ),
        "reward_mean_drift": (
            "reward_hacking",
            "reward_jump",
            "reward_collapse",
            "reward_plateau",
        ),
    }
)


def find_with_rlwatch(recording: DescribedRecording) -> list[Episode]:
    """Return the alerts that it sends, with its default settings."""
    from rlwatch import RLWatch, RLWatchConfig

    alerts = []
    # It keeps a database of the run, and shows every alert on stderr.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        settings = RLWatchConfig(framework="manual")
        settings.storage.log_dir = folder
        monitor = RLWatch(settings)
        monitor.start()
        for entry in recording.entries:
            if isinstance(entry, LoggedRow) and (metrics := _arguments(entry.row)):
                alerts += monitor.log_step(entry.step, **metrics)
        monitor.stop()
    return list(map(_episode, alerts))


def _arguments(row: Row) -> dict[str, float]:
    logged = {**row.values, **row.non_finite}
    found = {}
    for argument, keys in _KEYS.items():
        key = next((each for each in keys if each in logged), None)
        if key is not None:
            found[argument] = logged[key]
    return found


def _episode(alert: Any) -> Episode:
    return alert_as_episode(
        alert.detector,
        alert.step,
        _SEVERITIES[alert.severity],
        DETECTS[alert.detector],
        alert.message,
    )
