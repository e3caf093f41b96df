"""Finds the step at which each metric that has a good direction was at its best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.profile import EVAL_PREFIX, Direction

# One lucky batch is no best step; so many logs are averaged where there are enough of them.
_LOGS = 5
_LOGS_FOR_EACH_AVERAGED = 4


@dataclass(frozen=True, slots=True)
class BestStep:
    """Where a metric was best: ``value`` is the mean of the last ``logs`` logs at ``step``.

    ``last`` is the same mean at the end, ``checkpoint`` the step of the kept checkpoint nearest to
    the best one, None without any.
    """

    metric: str
    direction: Direction
    value: float
    step: int
    last: float
    logs: int
    checkpoint: int | None

    @property
    def lost(self) -> float:
        """How much worse the end is than the best; never negative."""
        return abs(self.value - self.last)


def best_steps(
    rows: Sequence[tuple[int, Row]],
    directions: Mapping[str, Direction],
    checkpoints: Iterable[int],
) -> list[BestStep]:
    """Return the best step of each metric with a direction, in the order of ``directions``.

    ``rows`` are steps with canonical metrics, in logged order; ``directions`` those of the
    trainer's profile, and hold for evaluation metrics as well, which come first. A metric that was
    logged once, or never changed, has none. The first of equal values counts.

    >>> from post_training_toolkit.engine.door import admit
    >>> rewards = {10: 0.2, 20: 0.7, 30: 0.1}
    >>> rows = [(step, admit({"reward": value})) for step, value in rewards.items()]
    >>> [best] = best_steps(rows, {"reward": "up"}, checkpoints=[15, 30])
    >>> best.step, best.value, best.last, best.checkpoint
    (20, 0.7, 0.1, 15)
    """
    kept = sorted(checkpoints)
    named = [(EVAL_PREFIX + metric, direction) for metric, direction in directions.items()]
    found = (_best(rows, *each, kept) for each in (*named, *directions.items()))
    return [each for each in found if each is not None]


def _best(
    rows: Sequence[tuple[int, Row]], metric: str, direction: Direction, kept: Sequence[int]
) -> BestStep | None:
    logged = [(step, row.values[metric]) for step, row in rows if metric in row.values]
    if all(one == other for (_, one), (_, other) in pairwise(logged)):
        return None
    logs = max(1, min(_LOGS, len(logged) // _LOGS_FOR_EACH_AVERAGED))
    if metric.startswith(EVAL_PREFIX):
        # Each is a mean over the whole evaluation set already.
        logs = 1
    means = [
        (logged[end - 1][0], fmean(value for _, value in logged[end - logs : end]))
        for end in range(logs, len(logged) + 1)
    ]
    sign = 1 if direction == "up" else -1
    step, value = max(means, key=lambda each: sign * each[1])
    return BestStep(
        metric=metric,
        direction=direction,
        value=value,
        step=step,
        last=means[-1][1],
        logs=logs,
        checkpoint=min(kept, key=lambda each: abs(each - step), default=None),
    )
