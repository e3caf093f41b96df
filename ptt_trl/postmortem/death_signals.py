"""What this process does at signals that mean its end."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import ClassVar, TextIO

from post_training_toolkit.ptt_trl.postmortem.fault_stacks import FAULT_STACKS, stacks_signal

Handler = Callable[[int, FrameType | None], object]


class TerminationHandler:
    """Calls ``tell`` at a SIGTERM, and then lets happen what would have happened without it.

    Only the main thread may install handlers; in any other nothing is. ``pipe`` gets the signal at
    once, even while the interpreter is stuck in native code.
    """

    def __init__(self, tell: Handler, pipe: int | None) -> None:
        self._tell = tell
        self._pipe = pipe
        self._owner = os.getpid()
        self._before: Handler | int | None = None
        self._installed = False
        self._wakes = False

    def install(self) -> None:
        """Put the handler before the one that is there, be it the trainer's own."""
        before = signal.getsignal(signal.SIGTERM)
        # None is a handler of native code, which cannot be called from here.
        if threading.current_thread() is not threading.main_thread() or before is None:
            return
        self._before = before
        signal.signal(signal.SIGTERM, self._handle)
        self._installed = True
        if self._pipe is not None:
            taken = signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
            self._wakes = taken == -1
            if not self._wakes:
                # An event loop waits for its own.
                signal.set_wakeup_fd(taken)

    def restore(self) -> None:
        """Put back what was there, unless somebody else has come in between."""
        if not self._installed or threading.current_thread() is not threading.main_thread():
            return
        self._installed = False
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._before)
        if self._wakes:
            taken = signal.set_wakeup_fd(-1)
            if taken != self._pipe:
                signal.set_wakeup_fd(taken)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._owner:
            self._tell(number, frame)
        if callable(self._before):
            self._before(number, frame)
        elif self._before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


class FaultStacks:
    """Has faulthandler write stacks to a file of the run.

    It writes those of all threads at a fatal signal, and that of the main thread at a signal of the
    watcher's. What was enabled before is put
    back when no run of this process needs it any more.
    """

    # Those of this process that are enabled, the newest last: faulthandler knows one file.
    _enabled: ClassVar[list[FaultStacks]] = []
    _was_enabled: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / FAULT_STACKS
        self._file: TextIO | None = None
        # At which the stacks are written while the process lives on; None if at none.
        self.signal: int | None = None

    def enable(self) -> None:
        """Open the file and hand it to faulthandler; raises ``OSError``."""
        self._file = self._path.open("w", encoding="utf-8")
        number = stacks_signal()
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            self.signal = number
        if not self._enabled:
            FaultStacks._was_enabled = faulthandler.is_enabled()
        self._enabled.append(self)
        self._hand_over(self._file)

    def disable(self) -> None:
        """Let go of the file and delete it."""
        if self._file is None:
            return
        self._enabled.remove(self)
        if self._enabled:
            # Its file is open as long as it is in the list.
            self._enabled[-1].take_over()
        else:
            self._give_back()
        self._file.close()
        self._file = None
        self._path.unlink(missing_ok=True)

    def take_over(self) -> None:
        """Have the stacks written to this file from now on."""
        if self._file is not None:
            self._hand_over(self._file)

    def _hand_over(self, file: TextIO) -> None:
        faulthandler.enable(file, all_threads=True)
        if self.signal is not None:
            # Of the main thread alone, which takes the signal: others may be at work, and to read
            # their stacks then can crash the process.
            faulthandler.register(self.signal, file, all_threads=False)

    def _give_back(self) -> None:
        if self.signal is not None:
            faulthandler.unregister(self.signal)
        faulthandler.disable()
        if self._was_enabled and sys.__stderr__ is not None:
            # Where it wrote to before cannot be asked; by default it is stderr.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                faulthandler.enable(sys.__stderr__, all_threads=True)
