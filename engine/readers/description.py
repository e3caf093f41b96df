"""Completes what a recording says about its run by what was given and what its rows show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
)
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.catalogue import MetricEntry, catalogue, catalogued_trainers
from post_training_toolkit.rules.profile import EVAL_PREFIX

# More than this share of the keys that not every trainer logs must be the guessed trainer's.
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class GivenDescription:
    """What a user says about a run; it wins over what the file says, which wins over guesses."""

    trainer: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    max_steps: int | None = None
    logging_steps: int | None = None
    trl_version: str | None = None


@dataclass(frozen=True, slots=True)
class DescribedRecording:
    """A run with its entries, and a sentence for each thing that had to be guessed.

    ``broken`` says where and why the reading ended early; the entries before that are there.
    """

    run: RunDescription
    entries: Sequence[MetricsEntry]
    guesses: tuple[str, ...] = ()
    broken: str | None = None


def describe(recording: Recording, given: GivenDescription) -> DescribedRecording:
    """Read the whole recording and return the fullest description of its run.

    The planned length is where rules that wait for a share of the run look; without it the last
    step stands for it, which is too early for a run that died.
    """
    entries, broken = read_entries(recording)
    configuration = {**recording.run.configuration, **given.configuration}
    stated = run_from_arguments(configuration)
    planned = [entry.max_steps for entry in entries if isinstance(entry, Milestone)]
    trainer = given.trainer or recording.run.trainer
    max_steps = _first(given.max_steps, *planned, recording.run.max_steps, stated.max_steps)
    logging_steps = _first(given.logging_steps, recording.run.logging_steps, stated.logging_steps)
    guesses = []
    if trainer is None:
        trainer = guess_trainer(_keys(entries))
        guesses.append(
            "the trainer is not known: only the rules for every trainer apply (give --trainer)"
            if trainer is None
            else f"trainer guessed from the metrics: {trainer} (--trainer if it is another)"
        )
    if logging_steps is None:
        logging_steps = guess_logging_steps(entries)
        if logging_steps is not None:
            guesses.append(f"one log every {_steps(logging_steps)}, from the rows")
    if max_steps is None:
        max_steps = max((entry.step for entry in entries), default=0) or None
        if max_steps is not None:
            guesses.append(
                f"planned length taken from the last step: {max_steps} (--max-steps if the run "
                "ended early)"
            )
    run = RunDescription(trainer, configuration, max_steps, logging_steps, given.trl_version)
    return DescribedRecording(run, entries, tuple(guesses), broken)


def read_entries(recording: Recording) -> tuple[list[MetricsEntry], str | None]:
    """Return the entries up to where the file is broken, and what is wrong there."""
    entries: list[MetricsEntry] = []
    try:
        # Not list(): what was read before the broken place would be lost.
        for entry in recording.entries:
            entries.append(entry)  # noqa: PERF402
    except (MetricsFileError, RecordingError) as error:
        return entries, str(error)
    return entries, None


def guess_trainer(keys: Collection[str]) -> str | None:
    """Return the trainer whose own keys in the metric catalogue fit best, or None.

    Keys that every trainer logs tell nothing. None where two trainers fit equally well.

    >>> guess_trainer({"loss", "rewards/margins", "rewards/chosen", "logps/chosen"})
    'dpo'
    >>> guess_trainer({"loss", "grad_norm"}) is None
    True
    """
    catalogues = {trainer: catalogue(trainer) for trainer in sorted(catalogued_trainers())}
    everywhere = frozenset.intersection(*(frozenset(each) for each in catalogues.values()))
    known = {key for each in catalogues.values() for key in each} - everywhere
    telling = known & set(keys)
    fits = {trainer: _fit(each, telling, everywhere) for trainer, each in catalogues.items()}
    best = max(fits.values())
    if best[0] <= _ENOUGH * len(telling):
        return None
    fitting = [trainer for trainer, fit in fits.items() if fit == best]
    return fitting[0] if len(fitting) == 1 else None


def _fit(
    entries: Mapping[str, MetricEntry], telling: Set[str], everywhere: Set[str]
) -> tuple[int, int]:
    """Return how many keys are the trainer's, and less how many that it always logs are absent."""
    always = {key for key, entry in entries.items() if entry.when is None} - everywhere
    return len(telling & entries.keys()), -len(always - telling)


def guess_logging_steps(entries: Iterable[MetricsEntry]) -> int | None:
    """Return the most frequent distance between two logged steps, or None for a single step.

    >>> from post_training_toolkit.engine.door import admit
    >>> guess_logging_steps(LoggedRow(step, None, admit({})) for step in (1, 10, 20, 30))
    10
    """
    steps = [entry.step for entry in entries if isinstance(entry, LoggedRow)]
    distances = Counter(after - before for before, after in pairwise(steps) if after > before)
    return distances.most_common(1)[0][0] if distances else None


def _keys(entries: Iterable[MetricsEntry]) -> set[str]:
    keys: set[str] = set()
    for entry in entries:
        if isinstance(entry, LoggedRow):
            row = entry.row
            keys.update(row.values, row.non_finite, row.missing)
    return {key for key in keys if not key.startswith(EVAL_PREFIX)}


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _steps(number: int) -> str:
    return "step" if number == 1 else f"{number} steps"
