"""Reads a run directory, as DiagnosticsCallback writes it, with the rules of that run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from post_training_toolkit.engine.metrics_file import read_metrics
from post_training_toolkit.engine.readers.description import (
    DescribedRecording,
    GivenDescription,
    read_entries,
)
from post_training_toolkit.engine.readers.recording import Recording
from post_training_toolkit.engine.replay import read_run_description, require_run_directory
from post_training_toolkit.engine.run_files import METRICS


def read_run_directory(folder: Path, given: GivenDescription) -> DescribedRecording:
    """Read the metrics and the description of a run; what is given wins over what is recorded.

    Raises ``RunDirectoryError`` for a folder that lacks one of the files.
    """
    require_run_directory(folder)
    recorded = read_run_description(folder)
    run = replace(
        recorded,
        trainer=given.trainer or recorded.trainer,
        configuration={**recorded.configuration, **given.configuration},
        max_steps=given.max_steps or recorded.max_steps,
        logging_steps=given.logging_steps or recorded.logging_steps,
    )
    entries, broken = read_entries(Recording(read_metrics(folder / METRICS), run))
    return DescribedRecording(run, entries, broken=broken)
