"""Words for the ways in which a process ends.

Only the standard library: the watcher process speaks of them, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXCEPTION = "exception"
INTERRUPTED = "interrupted"
TERMINATED = "terminated"
CRASHED = "crashed"
OOM_KILLED = "oom_killed"
KILLED = "killed"
EXITED = "exited"
HANG = "hang"
UNKNOWN = "unknown"

_BY_SIGNAL = {
    "SIGINT": INTERRUPTED,
    "SIGTERM": TERMINATED,
    "SIGSEGV": CRASHED,
    "SIGABRT": CRASHED,
    "SIGBUS": CRASHED,
    "SIGFPE": CRASHED,
    "SIGILL": CRASHED,
}


def classify(signal: str | None, exit_code: int | None, *, out_of_memory: bool) -> str:
    """Return the exit reason of a process that told nothing itself.

    ``out_of_memory`` says that the kernel killed some process for want of memory at that moment.

    >>> classify("SIGKILL", None, out_of_memory=True), classify(None, 3, out_of_memory=False)
    ('oom_killed', 'exited')
    """
    if signal is not None:
        is_oom = signal == "SIGKILL" and out_of_memory
        return OOM_KILLED if is_oom else _BY_SIGNAL.get(signal, KILLED)
    return EXITED if exit_code is not None else UNKNOWN


def closing_line(postmortem: Mapping[str, Any], path: Path) -> str:
    """Return the one line that is said of a death."""
    how = postmortem["exit_reason"]
    if postmortem["signal"] is not None:
        how += f", {postmortem['signal']}"
    elif postmortem["exit_code"] is not None:
        how += f", exit code {postmortem['exit_code']}"
    return f"the run died ({how}) at step {postmortem['last_step']}; post-mortem: {path}"
