"""Compares a statistic of one metric with limits."""

from __future__ import annotations

from typing import Protocol

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.limits import Limits
from post_training_toolkit.engine.observations import Observations


class ExactStatistic(Protocol):
    """What a check needs of a statistic.

    ``get`` is fast; ``recompute`` is the definition, from which ``get`` differs by at most
    ``error_bound()``, and not at all where ``exact`` is true.
    """

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
        observations: Observations,
        looks_back: int,
    ) -> None:
        super().__init__(metric, label, limits, window)
        self._statistic = statistic
        self._exact = statistic.exact
        self._get = statistic.get
        self._broken = limits.are_broken_by
        self._observations = observations
        self._looks_back = looks_back

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the statistic as it stands after a row."""
        value = self._get()
        if not self._exact and value is not None:
            bound = self._statistic.error_bound()
            if self.limits.lie_within(bound, value):
                value = self._statistic.recompute()
        self.value = value
        self.met = met = None if value is None else self._broken(value)
        return met

    def last_sound_step(self) -> int:
        """Return the newest step from before the window."""
        return self._observations.step_before(self._looks_back)

    def settle(self) -> None:
        """Replace the fast value by the one that the statistic's definition gives."""
        if not self._exact:
            self.value = self._statistic.recompute()
