"""The newest observations of one metric, shared by everything that looks at it."""

from __future__ import annotations

from collections import deque
from itertools import islice

# How many observations an insight shows as evidence.
EVIDENCE_LENGTH = 10


class Observations:
    """The newest (step, value) pairs of a metric; finite values only."""

    def __init__(self) -> None:
        self._pairs: deque[tuple[int, float]] = deque(maxlen=EVIDENCE_LENGTH)
        self.append = self._pairs.append

    def keep(self, window: int) -> None:
        """Keep at least the observations of a window and one from before it."""
        if window + 1 > (self._pairs.maxlen or 0):
            self._pairs = deque(self._pairs, maxlen=window + 1)
            self.append = self._pairs.append

    def evidence(self) -> tuple[tuple[int, float], ...]:
        """Return the newest observations, oldest first."""
        start = max(len(self._pairs) - EVIDENCE_LENGTH, 0)
        return tuple(islice(self._pairs, start, None))

    def step_before(self, window: int) -> int:
        """Return the step of the newest observation outside the window; 0 if there is none.

        >>> observations = Observations()
        >>> for step in (10, 20, 30):
        ...     observations.append((step, 0.5))
        >>> observations.step_before(2)
        10
        """
        return self._pairs[-window - 1][0] if len(self._pairs) > window else 0
