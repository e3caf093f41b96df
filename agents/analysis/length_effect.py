"""How reward goes with length, over all episodes and within tasks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Z = 1.959963984540054
_FEWEST_EPISODES = 4
_FEWEST_TASKS = 5
_RESAMPLES = 1000
_RANGE = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class LengthEffect:
    """A correlation of reward and acts with its 95 % interval, None for too few to give one.

    ``tasks`` is the number of tasks within which it was taken, None for one over all episodes.
    """

    correlation: float
    low: float | None
    high: float | None
    episodes: int
    tasks: int | None = None

    @property
    def distance(self) -> float | None:
        """How far the interval is from 0; 0 where it holds 0, None without an interval."""
        if self.low is None or self.high is None:
            return None
        return max(self.low, -self.high, 0.0)


def pooled_effect(pairs: Sequence[tuple[float, float]]) -> LengthEffect | None:
    """Return the correlation of all (length, reward) pairs; None where one of the two is constant.

    The interval is by Fisher's transformation (1921): tanh(atanh(r) +- 1.96 / sqrt(n - 3)).
    Hard tasks take long and fail, so that this says nothing about length by itself.
    """
    if len(pairs) < _FEWEST_EPISODES:
        return None
    xx, yy, xy = _sums(pairs)
    if xx <= 0 or yy <= 0:
        return None
    correlation = max(-1.0, min(1.0, xy / math.sqrt(xx * yy)))
    if abs(correlation) == 1.0:
        return LengthEffect(correlation, correlation, correlation, len(pairs))
    centre, half = math.atanh(correlation), _Z / math.sqrt(len(pairs) - 3)
    return LengthEffect(correlation, math.tanh(centre - half), math.tanh(centre + half), len(pairs))


def effect_within(tasks: Iterable[Sequence[tuple[float, float]]]) -> LengthEffect | None:
    """Return the correlation of (length, reward) as they differ from the means of their task.

    Only tasks whose attempts differ in both say anything; None if there is none. The interval is
    that of 1,000 bootstrap samples of the tasks, from five tasks on, since attempts at one task do
    not vary independently.
    """
    telling = []
    episodes = 0
    for pairs in tasks:
        sums = _sums(pairs)
        if sums[0] > 0 and sums[1] > 0:
            telling.append(sums)
            episodes += len(pairs)
    if not telling:
        return None
    sums_of_tasks = np.array(telling)
    correlation = float(_correlation(sums_of_tasks.sum(axis=0)))
    if len(telling) < _FEWEST_TASKS:
        return LengthEffect(correlation, None, None, episodes, len(telling))
    low, high = np.percentile(_resampled(sums_of_tasks), _RANGE)
    return LengthEffect(correlation, float(low), float(high), episodes, len(telling))


def _resampled(sums_of_tasks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the correlation in each bootstrap sample of the tasks."""
    tasks = len(sums_of_tasks)
    generator, share = np.random.default_rng(0), np.full(tasks, 1 / tasks)
    # One by one: all samples of many tasks would fill the memory.
    samples = [generator.multinomial(tasks, share) @ sums_of_tasks for _ in range(_RESAMPLES)]
    return _correlation(np.array(samples))


def _sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the sums of squares and products about the means."""
    count = len(pairs)
    mean_x, mean_y = sum(x for x, _ in pairs) / count, sum(y for _, y in pairs) / count
    return (
        sum((x - mean_x) ** 2 for x, _ in pairs),
        sum((y - mean_y) ** 2 for _, y in pairs),
        sum((x - mean_x) * (y - mean_y) for x, y in pairs),
    )


def _correlation(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    correlation: npt.NDArray[np.float64] = sums[..., 2] / np.sqrt(sums[..., 0] * sums[..., 1])
    return correlation
