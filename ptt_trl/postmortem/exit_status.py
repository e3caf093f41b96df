"""How a process that is not one's own child ended.

Only the standard library; only Linux tells, wholly from 6.15 on.
"""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows, where nothing is told
    fcntl = None  # type: ignore[assignment]

# From linux/pidfd.h: PIDFD_GET_INFO, its first version of 64 bytes, and the bit that asks for, and
# then says that there is, an exit code.
_GET_INFO = 0xC040FF0B
_INFO = struct.Struct("<Q56x")
_INFO_EXIT_CODE = struct.Struct("<60xi")
_WANTS_EXIT = 1 << 3
# /proc/PID/stat: the field behind the name in parentheses, counted from its end.
_ZOMBIE = "Z"
_STATE_FIELD = 0
_EXIT_FIELD = 49


def wait_status(process_id: int, pidfd: int | None) -> int | None:
    """Return the status of a process that has ended, as ``os.waitpid`` gives it; None if not known.

    A zombie shows it in /proc; one that its parent has taken away already tells it through an open
    pidfd.
    """
    status = _of_zombie(process_id)
    if status is None and pidfd is not None and fcntl is not None:
        status = _of_pidfd(pidfd)
    return status


def signal_name(number: int) -> str:
    """Return the name of a signal.

    >>> signal_name(9)
    'SIGKILL'
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def split_status(status: int) -> tuple[str | None, int | None]:
    """Return the name of the signal that ended a process, or else its exit code.

    >>> split_status(9), split_status(3 << 8)
    (('SIGKILL', None), (None, 3))
    """
    if os.WIFSIGNALED(status):
        return signal_name(os.WTERMSIG(status)), None
    return None, os.WEXITSTATUS(status)


def _of_zombie(process_id: int) -> int | None:
    try:
        text = Path(f"/proc/{process_id}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return int(fields[_EXIT_FIELD]) if fields[_STATE_FIELD] == _ZOMBIE else None
    except (OSError, ValueError, IndexError):
        return None


def _of_pidfd(pidfd: int) -> int | None:
    question = bytearray(_INFO.pack(_WANTS_EXIT))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, question)
    except OSError:
        return None
    (answered,) = _INFO.unpack(question)
    (code,) = _INFO_EXIT_CODE.unpack(question)
    return int(code) if answered & _WANTS_EXIT else None
