"""A few bytes on disk that say how far a run is, whatever becomes of its process.

Only the standard library: the watcher process reads them too.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows, where two runs in one folder go unnoticed
    fcntl = None  # type: ignore[assignment]

HEARTBEAT = ".heartbeat.json"
# A shorter beat is padded, so that each one wholly covers the one before.
_BYTES = 256


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest sign of life: the step, when (seconds since the epoch), and whose process.

    ``began`` is when this start of the run began, ``hang_after`` how many seconds without a further
    sign are a hang.
    """

    step: int
    time: float
    began: float
    process_id: int
    hang_after: float


class RunInUseError(RuntimeError):
    """Another process that is alive writes to this run directory."""


class Heartbeat:
    """Writes each beat over the one before it; one system call, nothing is flushed or waited for.

    While it is open it holds a lock on the file, which the kernel lets go of when the process dies.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HEARTBEAT
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(self._file):
            os.close(self._file)
            raise RunInUseError(f"another process that is alive writes to {folder}")

    def write(self, beat: Beat) -> None:
        """Put a beat in place of the last one; raises ``OSError``."""
        text = json.dumps(asdict(beat)).encode().ljust(_BYTES - 1) + b"\n"
        os.pwrite(self._file, text, 0)

    def close(self) -> None:
        """Let go of the file, and leave it: a run that died is known by it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Let go of the file and delete it: the run has ended as it should."""
        self.close()
        self._path.unlink(missing_ok=True)


def read_beat(folder: Path) -> Beat | None:
    """Return the newest beat of a run; None if it never had one, or an unreadable one."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Beat(**json.loads((folder / HEARTBEAT).read_bytes()))
    return None


def is_alive(folder: Path) -> bool:
    """Return whether a living process writes to a run directory."""
    try:
        file = os.open(folder / HEARTBEAT, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _lock(file)
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    """Return False only if another process holds the lock; some file systems have none."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
