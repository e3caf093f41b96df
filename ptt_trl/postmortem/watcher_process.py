"""The process that outlives a training run by a moment and writes down how it died.

Only the standard library, and nothing that is slow to import: it costs a few MiB beside the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, NoReturn

from post_training_toolkit.engine.run_files import POSTMORTEM
from post_training_toolkit.ptt_trl.postmortem.exit_reason import (
    CRASHED,
    HANG,
    TERMINATED,
    classify,
    closing_line,
)
from post_training_toolkit.ptt_trl.postmortem.exit_status import split_status, wait_status
from post_training_toolkit.ptt_trl.postmortem.fault_stacks import (
    catches,
    fatal_error,
    read_stacks,
    remove_stacks,
)
from post_training_toolkit.ptt_trl.postmortem.heartbeat import read_beat
from post_training_toolkit.ptt_trl.postmortem.memory import (
    MemoryReading,
    out_of_memory_kills,
    read_memory,
)
from post_training_toolkit.ptt_trl.postmortem.record import (
    TIMESTAMP,
    Circumstances,
    compose,
    has_ended,
    read_postmortem,
    tells_of,
    write_postmortem,
)

# What the pipe carries besides the numbers of signals.
GOODBYE = 0
_PIPE = 0
_LOOK_EVERY_SECONDS = 1.0
# A process whose interpreter is stuck in native code cannot write of its SIGTERM itself.
_LEAVE_TO_THE_RUN_SECONDS = 0.3
_STACKS_WITHIN_SECONDS = 0.5
# Between a SIGTERM and the SIGKILL that follows it; batch systems wait for seconds to minutes.
_GRACE_SECONDS = 600.0
# How long the status of a dead process may take to be seen.
_STATUS_WITHIN_SECONDS = 0.2
# The report is rendered by another program in this one's place, which is not to stay for ever.
_COMPLETE_WITHIN_SECONDS = 600
# Signals that a batch system or a terminal sends to everything that belongs to a run.
_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")


@dataclass(frozen=True, slots=True)
class WatcherSettings:
    """What the watcher is told of a run.

    ``stacks_signal`` makes it write where its threads are, None if nothing does; ``import_path``
    are the folders in which it finds its modules.
    """

    folder: str
    process_id: int
    output_dir: str
    error_file: str | None
    stacks_signal: int | None
    import_path: list[str]


class _End(Enum):
    """How the watch ends."""

    DISMISSED = auto()
    DIED = auto()


class WatcherProcess:
    """Waits for the end of one run, looking at it once a second."""

    def __init__(self, settings: WatcherSettings, pidfd: int | None) -> None:
        self._settings = settings
        self._folder = Path(settings.folder)
        self._pidfd = pidfd
        self._memory: MemoryReading | None = None
        # As it was one look and two looks ago: the kernel may count before the process is gone.
        self._kills_before = self._kills_now = out_of_memory_kills()
        self._beat: object = None
        self._beat_seen = time.monotonic()
        self._terminated: float | None = None
        self._hanging = False

    def watch(self) -> None:
        """Return when the run has ended; if it died, its post-mortem is written then."""
        self._look()
        while (end := self._wait()) is None:
            self._look()
        if end is _End.DIED:
            self._bury()

    def _wait(self) -> _End | None:
        """Wait for the end, but no longer than until the next look."""
        waits_for = [_PIPE] if self._pidfd is None else [_PIPE, self._pidfd]
        impatient = self._terminated is not None
        seconds = _LEAVE_TO_THE_RUN_SECONDS if impatient else _LOOK_EVERY_SECONDS
        ready, _, _ = select.select(waits_for, [], [], seconds)
        if _PIPE in ready:
            said = os.read(_PIPE, 4096)
            if GOODBYE in said:
                self._take_back_hang()
                return _End.DISMISSED
            if not said:
                # Who closes the pipe and lives on is no longer to be watched.
                return _End.DIED if self._is_dead() else _End.DISMISSED
            if signal.SIGTERM in said and self._terminated is None:
                self._terminated = time.time()
        return _End.DIED if self._pidfd in ready else None

    def _is_dead(self) -> bool:
        # A process closes its files a moment before it is gone.
        if self._pidfd is not None:
            return bool(select.select([self._pidfd], [], [], _LOOK_EVERY_SECONDS)[0])
        until = time.monotonic() + _LOOK_EVERY_SECONDS
        while os.getppid() == self._settings.process_id and time.monotonic() < until:
            time.sleep(0.01)
        return os.getppid() != self._settings.process_id

    def _look(self) -> None:
        """Take in what the run holds of memory, and whether it still moves."""
        reading = read_memory(self._settings.process_id)
        if reading.process_gib is not None:
            self._memory = reading
        self._kills_before, self._kills_now = self._kills_now, out_of_memory_kills()
        if self._terminated is not None:
            waited = time.time() - self._terminated
            if waited >= _LEAVE_TO_THE_RUN_SECONDS:
                self._write_unless_written(self._terminated)
                self._terminated = None
        self._watch_the_heart()

    def _watch_the_heart(self) -> None:
        beat = read_beat(self._folder)
        now = time.monotonic()
        if beat != self._beat:
            self._beat, self._beat_seen = beat, now
            self._take_back_hang()
            return
        if beat is None or self._hanging or now - self._beat_seen < beat.hang_after:
            return
        self._hanging = True
        death = self._death(HANG, time.time())
        self._write(replace(death, traceback=self._ask_for_stacks()))
        _say(f"no step for {now - self._beat_seen:.0f} s: {self._folder / POSTMORTEM}")

    def _take_back_hang(self) -> None:
        if not self._hanging:
            return
        self._hanging = False
        found = read_postmortem(self._folder)
        if found is None or found["exit_reason"] == HANG:
            (self._folder / POSTMORTEM).unlink(missing_ok=True)
            _say("the run moves again: it was no hang")

    def _write_unless_written(self, when: float) -> None:
        """Write of a SIGTERM that the run itself cannot write of."""
        if not tells_of(read_postmortem(self._folder), self._settings.process_id):
            stacks = self._ask_for_stacks()
            death = self._death(TERMINATED, when)
            self._write(replace(death, signal="SIGTERM", traceback=stacks))

    def _bury(self) -> NoReturn:
        """Write how the process ended; a program with more libraries does the rest."""
        found = read_postmortem(self._folder)
        # A run that was killed while it wrote its report has ended: only that is missing.
        if found is not None or not has_ended(self._folder):
            postmortem = self._write_end(found, time.time())
            _say(closing_line(postmortem, self._folder / POSTMORTEM))
        remove_stacks(self._folder)
        self._complete()

    def _write_end(self, found: dict[str, Any] | None, when: float) -> dict[str, Any]:
        status = self._status()
        name, code = (None, None) if status is None else split_status(status)
        if found is not None and self._foresaw(found, name, when):
            # It was seen to come: by a handler in the run, or as a hang. What it did since counts.
            death = self._death(found["exit_reason"], when)
            kept = ("exit_reason", "caught_by", "timestamp", "error", "traceback", "memory")
            postmortem = compose(self._folder, death) | {name: found[name] for name in kept}
            postmortem |= {"signal": name or found["signal"], "exit_code": code}
            return self._keep(postmortem)
        reason = classify(name, code, out_of_memory=out_of_memory_kills() != self._kills_before)
        # A child that was forked from the run may have written there, too.
        stacks = read_stacks(self._folder) if reason == CRASHED else None
        if stacks:
            print(stacks, file=sys.stderr)  # noqa: T201 - as faulthandler would have
        death = replace(
            self._death(reason, when),
            signal=name,
            exit_code=code,
            error=fatal_error(stacks),
            traceback=stacks,
        )
        return self._write(death)

    def _foresaw(self, found: Mapping[str, Any], name: str | None, when: float) -> bool:
        """Return whether a post-mortem is of this process, and of this end of it."""
        if not tells_of(found, self._settings.process_id):
            return False
        if found["exit_reason"] != TERMINATED:
            return True
        told = datetime.strptime(found["timestamp"], TIMESTAMP).replace(tzinfo=UTC).timestamp()
        is_recent = when - told < _GRACE_SECONDS
        return is_recent and name in (None, "SIGTERM", "SIGKILL")

    def _status(self) -> int | None:
        until = time.monotonic() + _STATUS_WITHIN_SECONDS
        while True:
            status = wait_status(self._settings.process_id, self._pidfd)
            if status is not None or time.monotonic() > until:
                return status
            time.sleep(0.005)

    def _death(self, reason: str, when: float) -> Circumstances:
        return Circumstances(
            exit_reason=reason,
            caught_by="watcher",
            time=when,
            process_id=self._settings.process_id,
            output_dir=self._settings.output_dir,
            memory=self._memory,
            error_file=self._settings.error_file,
        )

    def _write(self, death: Circumstances) -> dict[str, Any]:
        return self._keep(compose(self._folder, death))

    def _keep(self, postmortem: dict[str, Any]) -> dict[str, Any]:
        try:
            write_postmortem(self._folder, postmortem)
        except OSError as error:
            # There is nobody else to tell: the disk is full, or the folder is gone.
            _say(f"postmortem.json could not be written: {error}")
        return postmortem

    def _ask_for_stacks(self) -> str | None:
        """Have faulthandler write where the run's main thread is, without its cooperation."""
        number = self._settings.stacks_signal
        if number is None or self._pidfd is None:
            return None
        if not catches(self._settings.process_id, number):
            # It would die of it.
            return None
        before = read_stacks(self._folder)
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, number)
        until = time.monotonic() + _STACKS_WITHIN_SECONDS
        while read_stacks(self._folder) == before and time.monotonic() < until:
            time.sleep(0.01)
        # It is written line by line.
        time.sleep(0.05)
        return read_stacks(self._folder)

    def _complete(self) -> NoReturn:
        """Become the program that replays the rules and renders the report."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        # Whoever reads what the run wrote must not wait for this.
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.alarm(_COMPLETE_WITHIN_SECONDS)
        os.nice(10)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(self._settings.import_path)}
        module = "post_training_toolkit.ptt_trl.cli"
        command = [sys.executable, "-m", module, "postmortem", str(self._folder)]
        os.execve(sys.executable, command, environment)  # noqa: S606 - this very interpreter


def main() -> None:
    """Watch the run that the first argument describes."""
    for name in _IGNORED:
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    settings = WatcherSettings(**json.loads(sys.argv[1]))
    pidfd = None
    with contextlib.suppress(AttributeError, OSError):
        pidfd = os.pidfd_open(settings.process_id)
    WatcherProcess(settings, pidfd).watch()


def _say(text: str) -> None:
    # Whoever read it may be gone, together with the run.
    with contextlib.suppress(OSError):
        print(f"[ptt] {text}", file=sys.stderr, flush=True)  # noqa: T201 - it has nothing else
