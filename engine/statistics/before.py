"""A statistic as it stood before the newest observation."""

from __future__ import annotations

from typing import Protocol


class Statistic(Protocol):
    """What every statistic of one metric offers."""

    @property
    def exact(self) -> bool:
        """Whether ``get`` always is what ``recompute`` gives."""

    @property
    def relative_error(self) -> float:
        """How far ``get`` may be off, for each unit of (1 + its absolute value)."""

    def update(self, x: float) -> None:
        """Take one observation in."""

    def get(self) -> float | None:
        """Return the value, or None while there is none."""

    def recompute(self) -> float | None:
        """Return the value by its definition."""

    def error_bound(self) -> float:
        """Return how far ``get`` may be from ``recompute``."""


class Before:
    """Another statistic, one observation late: a spike does not raise what it is held to.

    >>> from post_training_toolkit.engine.statistics.mean import Mean
    >>> before = Before(Mean(2))
    >>> for x in (1.0, 3.0, 100.0):
    ...     before.update(x)
    >>> before.get()
    2.0
    """

    def __init__(self, statistic: Statistic) -> None:
        self._statistic = statistic
        self._newest: float | None = None
        self.exact = statistic.exact
        self.get = statistic.get
        self.recompute = statistic.recompute
        self.error_bound = statistic.error_bound

    @property
    def relative_error(self) -> float:
        """How far ``get`` may be off, for each unit of (1 + its absolute value)."""
        return self._statistic.relative_error

    def update(self, x: float) -> None:
        """Take one observation in and hand the one before it on."""
        if self._newest is not None:
            self._statistic.update(self._newest)
        self._newest = x
