"""Turns what a tracker keeps of a logged row back into the row that the trainer logged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone

# Names of the column that holds the optimizer step, the surest first. The last two may be
# counters of the tracker itself, which run ahead of the trainer.
STEP_NAMES = ("train/global_step", "global_step", "step", "Step", "_step")
_TRAIN = "train/"
_EVAL = "eval/"
# Columns that trackers and exports add; they are no metrics.
_OWN = frozenset({"", "_step", "_runtime", "_timestamp", "_wandb", "timestamp", "Unnamed: 0"})
# Floats, in which some files keep the step, count exactly up to here.
_LARGEST_STEP = 2**53
# Only the summary that a trainer logs when it has finished holds this.
_SUMMARY_KEY = "train_runtime"


def trainer_key(name: str) -> str:
    """Return the trainer's key for a name under which the transformers callbacks log it.

    >>> trainer_key("train/rewards/margins"), trainer_key("eval/loss"), trainer_key("loss")
    ('rewards/margins', 'eval_loss', 'loss')
    """
    if name.startswith(_EVAL):
        return "eval_" + name.removeprefix(_EVAL)
    return name.removeprefix(_TRAIN)


def step_name(names: Iterable[str]) -> str | None:
    """Return which of the names is the step, or None.

    >>> step_name(["_step", "train/global_step", "train/loss"])
    'train/global_step'
    """
    present = set(names)
    return next((each for each in STEP_NAMES if each in present), None)


def whole_step(value: object) -> int:
    """Return a step as a whole number; raises ``ValueError`` for anything else.

    >>> whole_step("10.0")
    10
    """
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if 0 <= number <= _LARGEST_STEP and number.is_integer() and not isinstance(value, bool):
        return int(number)
    raise ValueError(f"the step {value!r} is no whole number from 0 up")


def tracker_row(step: int, logged: Mapping[str, Any]) -> LoggedRow | None:
    """Return the row that a trainer logged, or None if only the tracker's own values are left."""
    logs = {
        trainer_key(name): value
        for name, value in logged.items()
        if name not in _OWN and name not in STEP_NAMES
    }
    if not logs:
        return None
    row = admit(logs)
    return LoggedRow(step, row.values.get("epoch"), row)


class StepFinder:
    """Finds the optimizer step of each row of a tracker.

    A row without it, such as a table logged beside the metrics, belongs to the step before it. Only
    where no row ever had one does the tracker's own counter stand for it.
    """

    def __init__(self) -> None:
        self._latest: int | None = None

    def find(self, logged: Mapping[str, Any], counter: object) -> int:
        """Return the step of a row; raises ``ValueError`` if it has one that is no step."""
        named = [logged[name] for name in STEP_NAMES[:-2] if logged.get(name) is not None]
        if named:
            self._latest = whole_step(named[0])
        return whole_step(counter) if self._latest is None else self._latest


def with_end(rows: Iterable[LoggedRow]) -> Iterator[MetricsEntry]:
    """Yield the rows, and the end of the training where the trainer's own summary tells of it."""
    last = None
    for row in rows:
        yield row
        last = row
    if last is not None and _SUMMARY_KEY in last.row.values:
        yield Milestone("train_end", last.step)
