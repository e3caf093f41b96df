"""A recorded run as a reader found it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from post_training_toolkit.engine.metrics_file import MetricsEntry
from post_training_toolkit.engine.run import RunDescription


class RecordingError(ValueError):
    """A file that is no recorded run, or a broken one; the text says where and what is wrong."""


class RecordingFormat(StrEnum):
    """What a recorded run can be kept in; the value is what ``--from`` takes."""

    RUN_DIRECTORY = "run-directory"
    METRICS = "metrics"
    TRAINER_STATE = "trainer-state"
    CSV = "csv"
    HISTORY = "history"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    TRACKIO = "trackio"


@dataclass(frozen=True, slots=True)
class Recording:
    """The entries of a run in the order of the file, and what the file says about the run.

    ``entries`` is read once; it raises ``RecordingError`` or ``MetricsFileError`` where the file is
    broken. ``run`` holds what is known before the first entry, with None for the rest.
    """

    entries: Iterator[MetricsEntry]
    run: RunDescription
