"""The share of a window that meets a condition."""

from __future__ import annotations

from collections.abc import Callable

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Fraction(WindowStatistic):
    """The share of the window's observations that meet a condition, from 0 to 1.

    ``holds`` says whether one does.

    >>> positive = Fraction(4, holds=(0.0).__lt__)
    >>> for x in (-1.0, 2.0, 3.0, 0.0):
    ...     positive.update(x)
    >>> positive.get()
    0.5
    """

    def __init__(self, window_size: int, holds: Callable[[float], bool]) -> None:
        super().__init__(window_size)
        self._holds = holds
        self._count = 0

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        values = self._values
        if len(values) == self._window_size:
            self._count -= self._holds(values[0])
        self._count += self._holds(x)
        values.append(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full."""
        if len(self._values) < self._window_size:
            return None
        return self._count / self._window_size

    def _define(self) -> float:
        return sum(self._holds(x) for x in self._values) / self._window_size
