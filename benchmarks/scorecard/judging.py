"""Scores a labelled run by whatever finds episodes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from post_training_toolkit.engine.backtest_score import ScoredRun, score_run
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.labelled_run import read_labelled_run
from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.description import DescribedRecording

Finder = Callable[[DescribedRecording], Iterable[Episode]]


def judge(find: Finder, folder: Path) -> ScoredRun:
    """Return the score of what is found in one run; raises ``LabelledRunError``."""
    labelled = read_labelled_run(folder)
    recording = labelled.read()
    steps = (entry.step for entry in recording.entries if isinstance(entry, LoggedRow))
    trainer = recording.run.trainer
    return score_run(labelled.name, trainer, labelled.labels, steps, find(recording))
