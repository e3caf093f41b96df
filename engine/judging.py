"""Goes through the rules that a row concerns: the loop in which the engine spends its time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.value_check import ExactStatistic, ValueCheck

# What stands for the value of a rule that cannot be judged at a glance.
_NO_GLANCE: Callable[[], float | None] = lambda: None  # noqa: E731 - a value, not a function


# A detector; how it is evaluated; and for a rule of one comparison how its value is read, the
# interval that is bad, and the statistic if its value may be off. A plain tuple, since this is
# taken apart for every rule at every row.
PreparedDetector = tuple[
    Detector,
    Callable[[int, Row], bool | None],
    Callable[[], float | None],
    float,
    float,
    ExactStatistic | None,
]


@dataclass(frozen=True, slots=True)
class _Glance:
    """How a value is told to be harmless without asking its rule."""

    get: Callable[[], float | None] = _NO_GLANCE
    first: float = -math.inf
    last: float = math.inf
    inexact: ExactStatistic | None = None


def prepare(detector: Detector) -> PreparedDetector:
    """Look everything up that judging a row by this detector needs."""
    glance = _Glance()
    condition = detector.condition
    if isinstance(condition, ValueCheck) and condition.limits.inside:
        statistic = condition.statistic
        glance = _Glance(
            statistic.get,
            condition.limits.first,
            condition.limits.last,
            None if statistic.exact else statistic,
        )
    return (
        detector,
        condition.evaluate,
        glance.get,
        glance.first,
        glance.last,
        glance.inexact,
    )


def judge(detectors: Iterator[PreparedDetector], step: int, row: Row, events: list[Event]) -> None:
    """Judge a row by each detector and collect what changed.

    A value that is clearly outside the bad interval, of a rule with which nothing goes on, is
    counted and no more. That is nearly every rule at nearly every row, and costs half.
    """
    for detector, evaluate, get, first, last, inexact in detectors:
        if detector.is_quiet:
            value = get()
            if value is not None:
                if inexact is None:
                    if value < first or value > last:
                        detector.passed += 1
                        continue
                else:
                    slack = inexact.relative_error * (1.0 + abs(value))
                    if value < first - slack or value > last + slack:
                        detector.passed += 1
                        continue
        event = detector.follow(step, row, evaluate(step, row))
        if event is not None:
            events.append(event)
