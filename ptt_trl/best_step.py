"""Finds the step at which each metric that has a good direction was at its best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.condition import Window
from post_training_toolkit.rules.profile import EVAL_PREFIX, Direction

# The level of a training metric is the median of so many logs: one lucky batch is no best step.
_WINDOW = Window(at_least=5, at_most=50, fraction=0.1)
# The end is judged by fewer, so that a run which was stopped soon after a fall shows it.
_LOGS_AT_THE_END = 5
# Of what lies between two neighbouring logs on average. Among random numbers without any trend, the
# best level is further above the last one in about one run of a hundred.
_NOISE = 2.0


@dataclass(frozen=True, slots=True)
class BestStep:
    """Where a metric was best: ``value`` is the median of ``logs`` logs that end about ``step``.

    ``last`` is the level at the end, and ``lost`` how much worse that is than the best; 0 if it is
    no more than noise, and both NaN if the last log holds no finite number. ``checkpoint`` is the
    step of the newest kept one whose weights the best logs show, None without any.
    """

    metric: str
    direction: Direction
    value: float
    step: int
    last: float
    lost: float
    logs: int
    checkpoint: int | None


def best_steps(
    rows: Sequence[tuple[int, Row]],
    directions: Mapping[str, Direction],
    checkpoints: Iterable[int],
) -> list[BestStep]:
    """Return the best step of each metric with a direction, in the order of ``directions``.

    ``rows`` are steps with canonical metrics, in logged order; ``directions`` those of the
    trainer's profile, and hold for evaluation metrics as well, which come first and are taken as
    logged, since each is a mean over the same examples. A metric that never changed, or was logged
    fewer than twice (ten times in training), has no best step. The last of equal levels counts,
    since nothing was lost until then.

    >>> from post_training_toolkit.engine.door import admit
    >>> logged = ((10, 0.2), (20, 0.7), (30, 0.1))
    >>> rows = [(step, admit({"eval_reward": value})) for step, value in logged]
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
    in_training = not metric.startswith(EVAL_PREFIX)
    logged = _logged(rows, metric)
    finite = [each for each in logged if math.isfinite(each[1])]
    if len(finite) < (2 * _LOGS_AT_THE_END if in_training else 2):
        return None
    distance = fmean(abs(one - other) for (_, one), (_, other) in pairwise(finite))
    if distance == 0:
        return None
    sign = 1 if direction == "up" else -1
    logs = _WINDOW.size(len(finite)) if in_training else 1
    windows = (finite[end - logs : end] for end in range(len(finite), logs - 1, -1))
    best = max(windows, key=lambda window: sign * _level(window))
    value = _level(best)
    # Of a window that reaches into a fall, a step from before the fall.
    step = max(step for step, number in best if sign * number >= sign * value)
    last = _level(finite[-min(logs, _LOGS_AT_THE_END) :])
    if not math.isfinite(logged[-1][1]):
        last = math.nan
    lost = sign * (value - last)
    noise = _NOISE * distance if in_training else 0.0
    # A row of training shows the weights before its step, an evaluation those after it.
    newest = step - 1 if in_training and step < logged[-1][0] else step
    return BestStep(
        metric=metric,
        direction=direction,
        value=value,
        step=step,
        last=last,
        lost=0.0 if lost <= noise else lost,
        logs=logs,
        checkpoint=max((each for each in kept if each <= newest), default=None),
    )


def _logged(rows: Sequence[tuple[int, Row]], metric: str) -> list[tuple[int, float]]:
    """Return what was logged of a metric; NaN where the row has no finite gradient norm.

    Trainers that filter NaN out of the loss log 0 or an old mean in its place.
    """
    return [
        (step, math.nan if "grad_norm" in row.non_finite else row.values.get(metric, math.nan))
        for step, row in rows
        if metric in row.values or metric in row.non_finite
    ]


def _level(window: Sequence[tuple[int, float]]) -> float:
    return median(value for _, value in window)
