"""An engine that tells how far it is, for progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

# A bar that moves more often than this costs more than it shows.
_EVERY = 1000


class WatchedEngine(Engine):
    """Calls ``watch`` with the number of rows since its last call, once in a thousand rows."""

    def __init__(
        self,
        rules: Iterable[Rule],
        run: RunDescription,
        watch: Callable[[int], object],
        containment: Containment | None = None,
    ) -> None:
        super().__init__(rules, run, containment)
        self._watch = watch
        self._since = 0

    def observe(self, step: int, row: Row) -> tuple[Event, ...]:
        """Take one logged row in; see ``Engine.observe``."""
        self._since += 1
        if self._since == _EVERY:
            self._watch(self._since)
            self._since = 0
        return super().observe(step, row)
