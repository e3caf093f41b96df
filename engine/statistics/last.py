"""The newest observation."""

from __future__ import annotations

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Last(WindowStatistic):
    """The newest of the observations in the window.

    >>> last = Last(1)
    >>> last.update(2.5)
    >>> last.get()
    2.5
    """

    def _compute(self) -> float:
        return self._values[-1]
