"""Runs rules over labelled runs, in one process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from post_training_toolkit.engine.backtest_score import ScoredRun, score_run
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import episodes
from post_training_toolkit.engine.labelled_run import LabelledRunError, read_labelled_run
from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule, Source

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A folder that could not be scored; ``problem`` says where and why in one line."""

    name: str
    problem: str


def backtest(
    folders: Sequence[Path], sources: tuple[Source, ...], jobs: int
) -> Iterator[ScoredRun | BrokenRun]:
    """Yield the score of each labelled run, in the order of the folders."""
    return in_processes(partial(score_folder, sources), folders, jobs)


def score_folder(sources: tuple[Source, ...], folder: Path) -> ScoredRun | BrokenRun:
    """Run the rules of already collected sources over one labelled run and score it."""
    try:
        labelled = read_labelled_run(folder)
        recording = labelled.read()
    except LabelledRunError as error:
        return BrokenRun(folder.name, str(error))
    except OSError as error:
        return BrokenRun(folder.name, f"cannot read {error.filename}: {error.strerror}")
    containment = Containment()
    engine = Engine(rules_of(sources), recording.run, containment)
    found = episodes(replay(recording.entries, engine))
    steps = (entry.step for entry in recording.entries if isinstance(entry, LoggedRow))
    return score_run(
        labelled.name, recording.run.trainer, labelled.labels, steps, found, containment.failures
    )


@cache
def rules_of(sources: tuple[Source, ...]) -> tuple[Rule, ...]:
    """Return the rules of collected sources; each process builds them once."""
    return load_bundle(sources, follow_extends=False).rules


def in_processes(
    task: Callable[[Path], Answer], folders: Sequence[Path], jobs: int
) -> Iterator[Answer]:
    """Yield the task's answer for each folder in order; ``jobs`` above 1 starts processes.

    The task and its answers must be picklable.
    """
    if jobs == 1 or len(folders) < 2:
        yield from map(task, folders)
        return
    # A fresh process has no threads of ours half copied into it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(folders)), mp_context=context) as pool:
        yield from pool.map(task, folders)
