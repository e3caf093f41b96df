"""Post-Training Toolkit: tells TRL users while a run is alive that it is broken, and why.

Importing this package is light; the trainer side loads when ``DiagnosticsCallback`` is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from post_training_toolkit.ptt_trl.callback import DiagnosticsCallback
    from post_training_toolkit.ptt_trl.snapshots.settings import SnapshotSettings
    from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation
    from post_training_toolkit.ptt_trl.stop import TrainingStopped

__all__ = ["DiagnosticsCallback", "Generation", "SnapshotSettings", "TrainingStopped"]

_MODULES = {
    "DiagnosticsCallback": "callback",
    "Generation": "snapshots.snapshot",
    "SnapshotSettings": "snapshots.settings",
    "TrainingStopped": "stop",
}


def __getattr__(name: str) -> object:
    """Load the trainer side at first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"post_training_toolkit.ptt_trl.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name} needs {error.name}, which is not installed; "
            'run: pip install "post-training-toolkit[trl]"'
        ) from error
    found: object = getattr(module, name)
    return found
