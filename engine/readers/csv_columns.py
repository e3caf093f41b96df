"""Finds out which column of a CSV file holds the step and which hold metrics of which run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from post_training_toolkit.engine.readers.tracker_row import STEP_NAMES, step_name
from post_training_toolkit.rules.suggestion import did_you_mean

# W&B writes "run name - metric", and beside it the bounds of what its chart has averaged.
_SEPARATOR = " - "
_BOUNDS = ("__MIN", "__MAX")


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """The index of the step column and, by index, the name of each metric column."""

    step: int
    metrics: tuple[tuple[int, str], ...]


def find_columns(header: Sequence[str], run: str | None) -> CsvColumns:
    """Return the columns of one run; raises ``ValueError`` with what the header lacks.

    >>> find_columns(["Step", "a - train/loss", "a - train/loss__MIN"], None)
    CsvColumns(step=0, metrics=((1, 'train/loss'),))
    """
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise ValueError(f"column {min(twice)!r} appears twice")
    step = step_name(header)
    if step is None:
        raise ValueError(f"no step column; expected one named {', '.join(STEP_NAMES)}")
    columns = [(index, *_split(name)) for index, name in enumerate(header) if name != step]
    chosen = _choose_run({owner for _, owner, _ in columns if owner}, run)
    metrics = tuple(
        (index, name) for index, owner, name in columns if name and owner in ("", chosen)
    )
    return CsvColumns(header.index(step), metrics)


def _choose_run(runs: set[str], run: str | None) -> str | None:
    if run is not None and run not in runs:
        raise ValueError(f"no column of a run {run!r}{did_you_mean(run, runs)}")
    if run is None and len(runs) > 1:
        raise ValueError(
            f"columns of several runs; choose one with --run: {', '.join(sorted(runs))}"
        )
    return run if run is not None else min(runs, default=None)


def _split(name: str) -> tuple[str, str]:
    """Return run and metric of a column, both empty for one that is no metric."""
    owner, separator, metric = name.rpartition(_SEPARATOR)
    if not separator:
        return "", name
    return ("", "") if metric.endswith(_BOUNDS) else (owner, metric)
