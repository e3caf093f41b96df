"""How high a metric stands at a step, and how far that may be off by noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from post_training_toolkit.ptt_trl.report.series import Numbers, Series
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import METRIC_PREFIX
from post_training_toolkit.rules.condition import Window
from post_training_toolkit.rules.profile import EVAL_PREFIX

# As for the best steps of a report.
_WINDOW = Window(at_least=5, at_most=50, fraction=0.1)
# Metrics over the same examples each time, whose single values count.
_SAME_EXAMPLES = (EVAL_PREFIX, METRIC_PREFIX)
# Standard errors of a difference that are more than chance, for about one in twenty.
_SURE = 2.0


@dataclass(frozen=True, slots=True)
class Level:
    """The median of ``logs`` values that end at ``step``; ``error`` is its standard error.

    ``error`` is None where too little was logged to tell noise.
    """

    value: float
    step: int
    logs: int
    error: float | None


def level_at(series: Series, step: int) -> Level | None:
    """Return the level at a step: of an evaluation or a snapshot the last one, or a median.

    None where nothing was logged until then, or what was logged last is not finite.
    """
    until = int(np.searchsorted(series.steps, step, side="right"))
    if not until or not series.finite[until - 1]:
        return None
    finite = series.finite[:until]
    values = series.values[:until][finite]
    in_training = not series.name.startswith(_SAME_EXAMPLES)
    logs = min(_WINDOW.size(int(series.finite.sum())), len(values)) if in_training else 1
    # Evaluations are few, so that all of the run tell how far they are off.
    noise = noise_of(values if in_training else series.values[series.finite])
    # The standard error of a median; of a single value it is the noise itself.
    error = noise * (math.sqrt(math.pi / 2 / logs) if logs > 1 else 1)
    return Level(
        value=float(np.median(values[-logs:])),
        step=int(series.steps[until - 1]),
        logs=logs,
        error=error if math.isfinite(error) else None,
    )


def differ(one: Level, other: Level) -> bool | None:
    """Return whether two levels differ by more than noise, None where that cannot be told."""
    if one.value == other.value:
        return False
    if one.error is None or other.error is None:
        return None
    return abs(one.value - other.value) > _SURE * math.hypot(one.error, other.error)


def noise_of(values: Numbers) -> float:
    """Return the standard deviation around a smooth course; NaN for fewer than three values.

    Gasser, Sroka and Jennen-Steinmetz 1986 (Biometrika 73): each value against the mean of its two
    neighbours, so that a trend counts as none.

    >>> noise_of(np.arange(9.0))
    0.0
    """
    if len(values) < 3:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.abs(values[:-2] / 2 + values[2:] / 2 - values[1:-1])
        largest = float(away.max())
        if not 0 < largest < math.inf:
            return 0.0 if largest == 0 else math.nan
        return largest * math.sqrt(2 / 3 * float(np.mean((away / largest) ** 2)))
