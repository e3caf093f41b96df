"""Adds up the time that is spent inside the toolkit."""

from __future__ import annotations

import time
from types import TracebackType


class Stopwatch:
    """Counts seconds while it is entered; entered again from within, it counts once.

    >>> stopwatch = Stopwatch()
    >>> with stopwatch, stopwatch:
    ...     pass
    >>> stopwatch.elapsed < 1
    True
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._depth = 0
        self._since = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds until now."""
        return self._seconds + (time.perf_counter() - self._since if self._depth else 0.0)

    def add(self, seconds: float) -> None:
        """Count what was spent elsewhere."""
        self._seconds += seconds

    def __enter__(self) -> None:
        """Go on counting."""
        if not self._depth:
            self._since = time.perf_counter()
        self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop counting."""
        self._depth -= 1
        if not self._depth:
            self._seconds += time.perf_counter() - self._since
