"""What all comparisons of a rule have in common at run time."""

from __future__ import annotations

import abc

from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits


class Check(abc.ABC):
    """One comparison of a rule at work.

    After ``evaluate``, ``met`` says whether the newest row broke the limits, None where that cannot
    be judged; ``value`` is what was looked at, ``reference`` what it was set against, and ``ratio``
    or ``difference`` what came of that. ``window`` is the number of observations in the value, None
    for the whole run. ``error`` is what the run died of, where that is what is asked for.
    """

    def __init__(self, metric: str, label: str | None, limits: Limits, window: int | None) -> None:
        self.metric = metric
        self.label = label
        self.limits = limits
        self.window = window
        self.met: bool | None = None
        self.value: float | None = None
        self.reference: float | None = None
        self.ratio: float | None = None
        self.difference: float | None = None
        self.error: str | None = None

    @property
    def lacks_reference(self) -> bool:
        """Whether there is a value, but nothing that it can be judged by."""
        return self.value is not None and self.met is None

    @abc.abstractmethod
    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the statistics as they stand after a row."""

    @abc.abstractmethod
    def last_sound_step(self) -> int:
        """Return the newest step whose data have no part in the value; 0 for none."""

    def settle(self) -> None:  # noqa: B027 - most values are settled as they are
        """Replace the fast value by the one that the statistic's definition gives."""

    def worse_of(self, worst: float | None) -> float | None:
        """Return the worse of an earlier value and the newest, None where no direction is worse."""
        upwards = self.limits.worse_upwards
        if upwards is None or self.value is None:
            return worst
        self.settle()
        value = self.value
        if value is None or worst is None:
            return worst if value is None else value
        return max(worst, value) if upwards else min(worst, value)
