"""The file into which faulthandler writes where a process was when it died or hung.

Only the standard library: the watcher process reads it.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

FAULT_STACKS = ".fault_stacks.txt"
# Above those that libraries are known to use.
_OFFSET = 7
# A deep recursion in each of a hundred threads.
_MOST_CHARACTERS = 100_000
# A hundred names of compiled modules, on one line.
_NOISE = "Extension modules:"


def stacks_signal() -> int | None:
    """Return a signal that nothing else uses; None on systems without such."""
    first = getattr(signal, "SIGRTMIN", None)
    return None if first is None else int(first) + _OFFSET


def catches(process_id: int, number: int) -> bool:
    """Return whether a process has a handler for a signal now."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return False
    match = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.M)
    return match is not None and bool(int(match[1], 16) >> (number - 1) & 1)


def read_stacks(folder: Path) -> str | None:
    """Return what was written; "" or None for nothing."""
    try:
        text = (folder / FAULT_STACKS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = text[:_MOST_CHARACTERS].splitlines()
    return "\n".join(line for line in lines if not line.startswith(_NOISE)).strip()


def remove_stacks(folder: Path) -> None:
    """Delete the file; what it held is in the post-mortem."""
    (folder / FAULT_STACKS).unlink(missing_ok=True)


def fatal_error(stacks: str | None) -> str | None:
    r"""Return what killed the process, which faulthandler writes first.

    >>> fatal_error("Fatal Python error: Segmentation fault\n\nCurrent thread ...")
    'Fatal Python error: Segmentation fault'
    """
    lines = [line for line in (stacks or "").splitlines() if line.startswith("Fatal Python error")]
    return lines[-1] if lines else None
