"""Finds the step at which each metric that has a good direction was at its best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from post_training_toolkit.ptt_trl.report.series import Numbers, Series
from post_training_toolkit.rules.condition import Window
from post_training_toolkit.rules.profile import EVAL_PREFIX, Direction

# The level of a training metric is the median of so many logs: one lucky batch is no best step.
_WINDOW = Window(at_least=5, at_most=50, fraction=0.1)
# The end is judged by fewer, so that a run which was stopped soon after a fall shows it.
_LOGS_AT_THE_END = 5
# Of what lies between two neighbouring logs on average. Among random numbers without any trend, the
# best level is further above the last one in about one run of a hundred.
_NOISE = 2.0
# So many windows are looked at at a time, which bounds the memory that it takes.
_CHUNK = 50_000


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
    series: Mapping[str, Series],
    directions: Mapping[str, Direction],
    checkpoints: Iterable[int],
) -> list[BestStep]:
    """Return the best step of each metric with a direction, in the order of ``directions``.

    ``directions`` are those of the trainer's profile, and hold for evaluation metrics as well,
    which come first and are taken as logged, since each is a mean over the same examples. A metric
    that never changed, or was logged fewer than twice (ten times in training), has no best step.
    The last of equal levels counts, since nothing was lost until then.

    >>> logged = Series("eval_reward", None, np.array([10, 20, 30]), np.array([0.2, 0.7, 0.1]))
    >>> [best] = best_steps({"eval_reward": logged}, {"reward": "up"}, checkpoints=[15, 30])
    >>> best.step, best.value, best.last, best.checkpoint
    (20, 0.7, 0.1, 15)
    """
    kept = sorted(checkpoints)
    named = [(EVAL_PREFIX + metric, direction) for metric, direction in directions.items()]
    found = (
        _best(without_hidden_nan(series[metric], series), direction, kept)
        for metric, direction in (*named, *directions.items())
        if metric in series
    )
    return [each for each in found if each is not None]


def _best(logged: Series, direction: Direction, kept: Sequence[int]) -> BestStep | None:
    in_training = not logged.name.startswith(EVAL_PREFIX)
    steps, values = logged.steps[logged.finite], logged.values[logged.finite]
    if len(values) < (2 * _LOGS_AT_THE_END if in_training else 2):
        return None
    # Halves, since the distance of two large numbers may be none.
    distance = 2 * float(np.mean(np.abs(np.diff(values / 2))))
    if distance == 0:
        return None
    sign = 1 if direction == "up" else -1
    logs = _WINDOW.size(len(values)) if in_training else 1
    start = _best_window(sign * values, logs)
    best_values = values[start : start + logs]
    value = float(np.median(best_values))
    # Of a window that reaches into a fall, a step from before the fall.
    step = int(steps[start : start + logs][sign * best_values >= sign * value].max())
    last = float(np.median(values[-min(logs, _LOGS_AT_THE_END) :]))
    if not logged.finite[-1]:
        last = math.nan
    lost = sign * (value - last)
    noise = _NOISE * distance if in_training else 0.0
    # A row of training shows the weights before its step, an evaluation those after it.
    newest = step - 1 if in_training and step < logged.steps[-1] else step
    return BestStep(
        metric=logged.name,
        direction=direction,
        value=value,
        step=step,
        last=last,
        lost=0.0 if lost <= noise else lost,
        logs=logs,
        checkpoint=max((each for each in kept if each <= newest), default=None),
    )


def _best_window(values: Numbers, logs: int) -> int:
    """Return where the window of the highest median begins, the last of equal ones."""
    best, where = -math.inf, 0
    for begin, medians in _medians(values, logs):
        highest = float(medians.max())
        if highest >= best:
            best = highest
            where = begin + int(np.flatnonzero(medians == highest)[-1])
    return where


def _medians(values: Numbers, logs: int) -> Iterator[tuple[int, Numbers]]:
    windows = sliding_window_view(values, logs)
    for begin in range(0, len(windows), _CHUNK):
        yield begin, np.median(windows[begin : begin + _CHUNK], axis=1)


def without_hidden_nan(logged: Series, series: Mapping[str, Series]) -> Series:
    """Return a training metric with NaN where the gradient norm of its step is not finite.

    Trainers that filter NaN out of the loss log 0 or an old mean in its place.
    """
    gradient = series.get("grad_norm")
    if gradient is None or logged.name.startswith(EVAL_PREFIX):
        return logged
    hidden = np.isin(logged.steps, gradient.steps[~gradient.finite])
    return replace(logged, values=np.where(hidden, math.nan, logged.values))
