"""Compares a statistic of one metric with limits."""

from __future__ import annotations

from typing import Protocol

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.history import History
from post_training_toolkit.engine.limits import Limits


class ExactStatistic(Protocol):
    """What a check needs of a statistic.

    ``get`` is fast; ``recompute`` is the definition, from which ``get`` differs by at most
    ``error_bound()``, which is ``relative_error`` times (1 + its absolute value), and not at all
    where ``exact`` is true.
    """

    @property
    def relative_error(self) -> float:
        """How far ``get`` may be off, for each unit of (1 + its absolute value)."""

    @property
    def exact(self) -> bool:
        """Whether ``get`` always is what ``recompute`` gives."""

    def get(self) -> float | None:
        """Return the value, or None while there is none."""

    def recompute(self) -> float | None:
        """Return the value by its definition."""

    def error_bound(self) -> float:
        """Return how far ``get`` may be off."""


class ValueCheck(Check):
    """Compares a statistic with limits; near them the definition decides, not the running sum."""

    def __init__(
        self,
        metric: str,
        label: str | None,
        limits: Limits,
        window: int | None,
        statistic: ExactStatistic,
        history: History,
        looks_back: int,
    ) -> None:
        super().__init__(metric, label, limits, window)
        self.statistic = statistic
        self._exact = statistic.exact
        self._get = statistic.get
        # What limits.are_broken_by does, without a call: this runs for every rule at every row.
        self._first, self._last, self._inside = limits.first, limits.last, limits.inside
        self._history = history
        self._looks_back = looks_back

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the statistic as it stands after a row."""
        self.value = value = self._get()
        if value is None:
            self.met = None
            return None
        if not self._exact:
            distance = self.statistic.relative_error * (1.0 + abs(value))
            if self.limits.lie_within(distance, value):
                self.value = value = self.statistic.recompute()
                if value is None:
                    self.met = None
                    return None
        self.met = met = (self._first <= value <= self._last) is self._inside
        return met

    def last_sound_step(self) -> int:
        """Return the newest step from before the window."""
        return self._history.step_before(self.metric, self._looks_back)

    def settle(self) -> None:
        """Replace the fast value by the one that the statistic's definition gives."""
        if not self._exact:
            self.value = self.statistic.recompute()
