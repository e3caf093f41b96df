"""Completes what a recording says about its run by what was given and what its rows show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
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
from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers
from post_training_toolkit.rules.profile import EVAL_PREFIX

# What the number of examples behind a logged row is made of; trackers keep all but the processes.
_BATCH = "per_device_train_batch_size"
_ACCUMULATION = "gradient_accumulation_steps"
_PROCESSES = "world_size"


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
    step stands for it, which is too early for a run that died. Where the number of processes is
    not known, one is the careful guess: thresholds widen with fewer examples to a row.
    """
    entries, broken = read_entries(recording)
    guesses: list[str] = []
    if broken is None and not any(isinstance(entry, LoggedRow) for entry in entries):
        guesses.append("no row was logged, so there is nothing to judge")
    configuration = {**recording.run.configuration, **given.configuration}
    stated = run_from_arguments(configuration)
    planned = [entry.max_steps for entry in entries if isinstance(entry, Milestone)]
    begun_with = next((each for each in planned if isinstance(each, int) and each > 0), None)
    run = RunDescription(
        given.trainer or recording.run.trainer or _trainer(entries, guesses),
        _complete(configuration, guesses),
        _first(given.max_steps, begun_with, recording.run.max_steps, stated.max_steps)
        or _length(entries, guesses),
        _first(given.logging_steps, recording.run.logging_steps, stated.logging_steps)
        or _interval(entries, guesses),
        given.trl_version,
    )
    return DescribedRecording(run, entries, tuple(guesses), broken)


def _trainer(entries: Iterable[MetricsEntry], guesses: list[str]) -> str | None:
    trainer = guess_trainer(_keys(entries))
    guesses.append(
        "the trainer is not known: only the rules for every trainer apply (give --trainer)"
        if trainer is None
        else f"trainer guessed from the metrics: {trainer} (--trainer if it is another)"
    )
    return trainer


def _complete(configuration: dict[str, Any], guesses: list[str]) -> dict[str, Any]:
    if not configuration:
        guesses.append(
            "the trainer's arguments are not known: rules that depend on them cannot judge "
            "(give --config)"
        )
    if _BATCH not in configuration or _PROCESSES in configuration:
        return configuration
    guesses.append(f"one process assumed (give {_PROCESSES} in --config)")
    return {_ACCUMULATION: 1, **configuration, _PROCESSES: 1}


def _length(entries: Iterable[MetricsEntry], guesses: list[str]) -> int | None:
    last = max((entry.step for entry in entries), default=0)
    if not last:
        return None
    guesses.append(
        f"planned length taken from the last step: {last} (--max-steps if the run ended early)"
    )
    return last


def _interval(entries: Iterable[MetricsEntry], guesses: list[str]) -> int | None:
    interval = guess_logging_steps(entries)
    if interval is not None:
        steps = "step" if interval == 1 else f"{interval} steps"
        guesses.append(f"one log every {steps}, from the rows")
    return interval


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
    """Return the trainer whose keys in the metric catalogue fit, or None if that is not certain.

    Everything that the trainer always logs must be there, beyond what they all log, and no other
    trainer may explain as many keys. Exports of a few metrics, and old versions of the trainers,
    leave it open: rules for the wrong trainer would be worse than none.

    >>> guess_trainer(catalogue("dpo"))
    'dpo'
    >>> guess_trainer({"loss", "grad_norm", "rewards/margins"}) is None
    True
    """
    catalogues = {trainer: catalogue(trainer) for trainer in sorted(catalogued_trainers())}
    # The same key with another meaning is another thing, as the entropy of the data's tokens is.
    shared = frozenset.intersection(*(frozenset(each.items()) for each in catalogues.values()))
    fits = {}
    for trainer, entries in catalogues.items():
        own = dict(entries.items() - shared)
        always = {key for key, entry in own.items() if entry.when is None}
        if always and always <= set(keys):
            fits[trainer] = len(own.keys() & set(keys))
    best = [trainer for trainer, fit in fits.items() if fit == max(fits.values())]
    return best[0] if len(best) == 1 else None


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
