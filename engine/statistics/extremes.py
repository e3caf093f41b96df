"""The smallest and the largest value of a window."""

from __future__ import annotations

from collections import deque

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Max(WindowStatistic):
    """The largest value of the window.

    Kept by a queue of the values that no later one has beaten; its first is the answer.

    >>> largest = Max(2)
    >>> for x in (5.0, 1.0, 3.0):
    ...     largest.update(x)
    >>> largest.get()
    3.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._unbeaten: deque[float] = deque()

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        values, unbeaten = self._values, self._unbeaten
        if len(values) == self._window_size and values[0] == unbeaten[0]:
            unbeaten.popleft()
        values.append(x)
        while unbeaten and unbeaten[-1] < x:
            unbeaten.pop()
        unbeaten.append(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full."""
        return self._unbeaten[0] if len(self._values) == self._window_size else None

    def _define(self) -> float:
        return max(self._values)


class Min(WindowStatistic):
    """The smallest value of the window.

    Kept as the largest is, see ``Max``.

    >>> smallest = Min(2)
    >>> for x in (1.0, 5.0, 3.0):
    ...     smallest.update(x)
    >>> smallest.get()
    3.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._unbeaten: deque[float] = deque()

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        values, unbeaten = self._values, self._unbeaten
        if len(values) == self._window_size and values[0] == unbeaten[0]:
            unbeaten.popleft()
        values.append(x)
        while unbeaten and unbeaten[-1] > x:
            unbeaten.pop()
        unbeaten.append(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full."""
        return self._unbeaten[0] if len(self._values) == self._window_size else None

    def _define(self) -> float:
        return min(self._values)


class Range(WindowStatistic):
    """The distance between the largest and the smallest value of the window.

    >>> spread = Range(3)
    >>> for x in (9.0, 1.0, 5.0, 3.0):
    ...     spread.update(x)
    >>> spread.get()
    4.0
    """

    def __init__(self, window_size: int) -> None:
        super().__init__(window_size)
        self._max = Max(window_size)
        self._min = Min(window_size)

    def update(self, x: float) -> None:
        """Take one observation in; the oldest leaves a full window."""
        self._values.append(x)
        self._max.update(x)
        self._min.update(x)

    def get(self) -> float | None:
        """Return the value, or None before the window is full or where it is no finite number."""
        largest, smallest = self._max.get(), self._min.get()
        if largest is None or smallest is None:
            return None
        distance = largest - smallest
        return distance if distance - distance == 0.0 else None

    def _define(self) -> float:
        return max(self._values) - min(self._values)
