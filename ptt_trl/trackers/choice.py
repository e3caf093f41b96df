"""Chooses the trackers by the trainer's own ``report_to``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from transformers import Trainer

from post_training_toolkit.ptt_trl.trackers.tracker import Tracker, TrackerSink

_MODULES = {
    "trackio": "trackio_run",
    "wandb": "wandb_run",
    "tensorboard": "tensorboard_events",
    "mlflow": "mlflow_run",
}


def tracker_sinks(
    report_to: str | Sequence[str] | None, trainer: Trainer | None
) -> dict[str, TrackerSink]:
    """Return a sink for each tracker in use that can take insights, by its name in ``report_to``.

    Others get the metrics from their own callbacks and are left alone. A tracker is opened, and may
    fail, when the run begins.

    >>> tracker_sinks(["codecarbon"], None)
    {}
    """
    names = [report_to] if isinstance(report_to, str) else report_to or ()
    return {
        name: TrackerSink(_opener(_MODULES[name]), trainer) for name in names if name in _MODULES
    }


def _opener(module: str) -> Callable[[Trainer | None], Tracker]:
    def open_tracker(trainer: Trainer | None) -> Tracker:
        found = import_module(f"{__package__}.{module}")
        tracker: Tracker = found.open_tracker(trainer)
        return tracker

    return open_tracker
