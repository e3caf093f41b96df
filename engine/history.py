"""The newest rows of a run, from which the evidence of an insight is taken when one fires."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

# How many observations an insight shows as evidence.
EVIDENCE_LENGTH = 10
# A row of forty metrics takes about three kilobytes.
_MOST_ROWS = 2000
# Rows come in a handful of shapes; more than this means that names change at every step.
_MOST_SHAPES = 200

# (number of the row, step, values)
_Remembered = tuple[int, int, Mapping[str, float]]


class History:
    """Keeps whole rows, apart by the metrics they hold, and finds a metric's observations in them.

    One append a row costs a thirtieth of one for every metric; what is looked up is looked up when
    an insight fires.

    >>> history = History()
    >>> for step in (10, 20, 30):
    ...     history.remember(("loss",), step, {"loss": step / 10})
    >>> history.newest("loss", 2)
    ((20, 2.0), (30, 3.0))
    >>> history.step_before("loss", 2)
    10
    """

    def __init__(self) -> None:
        self._length = EVIDENCE_LENGTH
        self._rows = 0
        self._kept: dict[tuple[str, ...], deque[_Remembered]] = {}

    def keep(self, window: int) -> None:
        """Keep at least the observations of a window and one from before it, up to 2,000."""
        length = min(window + 1, _MOST_ROWS)
        if length > self._length:
            self._length = length
            self._kept = {shape: deque(rows, length) for shape, rows in self._kept.items()}

    def remember(self, shape: tuple[str, ...], step: int, values: Mapping[str, float]) -> None:
        """Take a row in; ``shape`` holds its metrics."""
        kept = self._kept.get(shape)
        if kept is None:
            if len(self._kept) >= _MOST_SHAPES:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[shape] = deque(maxlen=self._length)
        self._rows += 1
        kept.append((self._rows, step, values))

    def newest(self, metric: str, count: int) -> tuple[tuple[int, float], ...]:
        """Return the newest observations of a metric as (step, value), oldest first."""
        rows: list[_Remembered] = []
        for shape, kept in self._kept.items():
            if metric in shape:
                rows += list(kept)[-count:]
        # The number of a row is unique, so that nothing else is compared.
        rows.sort()
        return tuple((step, values[metric]) for _, step, values in rows[-count:])

    def evidence(self, metrics: Iterable[str]) -> dict[str, tuple[tuple[int, float], ...]]:
        """Return the newest observations of each metric that has any."""
        found = {metric: self.newest(metric, EVIDENCE_LENGTH) for metric in metrics}
        return {metric: seen for metric, seen in found.items() if seen}

    def step_before(self, metric: str, window: int) -> int:
        """Return the step of the newest observation outside a window; 0 if none is known."""
        seen = self.newest(metric, window + 1)
        return seen[0][0] if len(seen) > window else 0
