"""The newest observation."""

from __future__ import annotations

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Last(WindowStatistic):
    """The newest observation.

    >>> last = Last()
    >>> last.update(2.5)
    >>> last.get()
    2.5
    """

    def __init__(self) -> None:
        super().__init__(1)

    def get(self) -> float | None:
        """Return the value, or None before the first."""
        return self._values[0] if self._values else None

    def _define(self) -> float:
        return self._values[0]
