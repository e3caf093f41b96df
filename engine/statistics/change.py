"""The step from one observation to the next."""

from __future__ import annotations

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Change(WindowStatistic):
    """The newest observation minus the one before it.

    >>> change = Change()
    >>> for x in (2.0, 5.0):
    ...     change.update(x)
    >>> change.get()
    3.0
    """

    def __init__(self) -> None:
        super().__init__(2)

    def _define(self) -> float:
        return self._values[1] - self._values[0]
