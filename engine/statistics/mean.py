"""The arithmetic mean of a window."""

from __future__ import annotations

import math

from post_training_toolkit.engine.statistics.window import WindowStatistic


class Mean(WindowStatistic):
    """The arithmetic mean, from a correctly rounded sum.

    A running sum, as in ``river.utils.Rolling``, decides exact ties wrongly and keeps a share of
    every spike for ever; ``math.fsum`` over the window does neither.

    >>> mean = Mean(2)
    >>> for x in (1e30, 1.0, 2.0):
    ...     mean.update(x)
    >>> mean.get()
    1.5
    """

    def _compute(self) -> float:
        return math.fsum(self._values) / self._window_size
