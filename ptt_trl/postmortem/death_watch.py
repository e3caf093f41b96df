"""Watches over one run on rank 0, so that its end is known whatever it is."""

from __future__ import annotations

import faulthandler
import math
import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import FrameType

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.postmortem.death_signals import FaultStacks, TerminationHandler
from post_training_toolkit.ptt_trl.postmortem.elastic_errors import own_error_file
from post_training_toolkit.ptt_trl.postmortem.heartbeat import Beat, Heartbeat
from post_training_toolkit.ptt_trl.postmortem.watcher import Watcher
from post_training_toolkit.ptt_trl.postmortem.watcher_process import WatcherSettings

# No sign of life for so long, and for so many times a usual step, is a hang.
_HANG_SECONDS = 600.0
_HANG_STEPS = 20
_STEPS_REMEMBERED = 51
# Signs of life within one step are not written more often.
_SECONDS_BETWEEN_BEATS = 0.5


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What the user decides: whether a process watches, and after how many seconds a hang is told.

    Without ``hang_after`` that is ten minutes, or twenty times the median step if that is longer.
    """

    watcher: bool = True
    hang_after: float | None = None

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a ``hang_after`` that is no time."""
        if self.hang_after is not None and not 0 < self.hang_after < math.inf:
            raise ValueError(
                f"hang_after is a number of seconds above 0, not {self.hang_after!r}; "
                "watcher=False watches for no hang"
            )


class DeathWatch:
    """Heartbeat, signal handlers, faulthandler and watcher process of one run.

    Each part is set up in ``containment`` by itself: without one, the others notice what they can.
    """

    def __init__(self, options: WatchOptions, folder: Path, output_dir: Path) -> None:
        self._options = options
        self._folder = folder
        self._output_dir = output_dir
        self._began = time.time()
        self._heartbeat = Heartbeat(folder)
        self._faults = FaultStacks(folder)
        self._watcher: Watcher | None = None
        self._termination: TerminationHandler | None = None
        self._durations: deque[float] = deque(maxlen=_STEPS_REMEMBERED)
        self.step = -1
        self._step_began = self._last_beat = 0.0

    def begin(
        self, step: int, tell: Callable[[int, FrameType | None], object], containment: Containment
    ) -> None:
        """Set everything up; ``tell`` is called at a SIGTERM."""
        contain = containment.run
        contain("heartbeat", self.beat, step)
        # Without a watcher nobody would repeat on stderr what the user's own would print there.
        if self._options.watcher or not faulthandler.is_enabled():
            contain("fault stacks", self._faults.enable)
        if self._options.watcher:
            self._watcher = contain("watcher", self._start_watcher)
        pipe = self._watcher.pipe if self._watcher is not None else None
        self._termination = TerminationHandler(tell, pipe)
        contain("termination handler", self._termination.install)
        _watching.add(self)

    def beat(self, step: int) -> None:
        """Take in a sign of life; raises ``OSError``."""
        now = time.monotonic()
        if step == self.step and now - self._last_beat < _SECONDS_BETWEEN_BEATS:
            return
        if step != self.step:
            if self.step >= 0:
                self._durations.append(now - self._step_began)
            self.step, self._step_began = step, now
        self._last_beat = now
        beat = Beat(step, time.time(), self._began, os.getpid(), self._hang_after())
        self._heartbeat.write(beat)

    def end(self, containment: Containment, *, died: bool) -> None:
        """Put everything back; the heartbeat of a run that died stays."""
        contain = containment.run
        _watching.discard(self)
        if self._termination is not None:
            contain("termination handler", self._termination.restore)
        if self._watcher is not None:
            contain("watcher", self._watcher.dismiss)
            self._watcher = None
        contain("fault stacks", self._faults.disable)
        contain("heartbeat", self._heartbeat.close if died else self._heartbeat.remove)

    def let_go_in_child(self) -> None:
        """Leave everything to the parent, in a process forked from it."""
        if self._termination is not None:
            self._termination.restore()
        if self._watcher is not None:
            self._watcher.close()
        self._heartbeat.close()

    def _hang_after(self) -> float:
        if self._options.hang_after is not None:
            return self._options.hang_after
        usual = median(self._durations) if self._durations else 0.0
        return max(_HANG_SECONDS, _HANG_STEPS * usual)

    def _start_watcher(self) -> Watcher:
        return Watcher(
            WatcherSettings(
                folder=str(self._folder.absolute()),
                process_id=os.getpid(),
                output_dir=str(self._output_dir.absolute()),
                error_file=own_error_file(),
                stacks_signal=self._faults.signal,
                import_path=[path for path in sys.path if path],
            )
        )


# Workers of a data loader are forked: a pipe or lock that they held would outlive the run.
_watching: weakref.WeakSet[DeathWatch] = weakref.WeakSet()


def _let_go() -> None:
    for watch in list(_watching):
        watch.let_go_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
