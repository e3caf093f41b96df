"""What a process holds of the machine's memory, and whether the kernel ran out of it.

Only the standard library, and only Linux tells; elsewhere everything is None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_KIB_PER_GIB = 2**20
_BYTES_PER_GIB = 2**30
# What a control group without a limit says, or more than any machine has.
_NO_LIMIT_GIB = 2**30
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Memory in GiB: of the process now and at most, still free on the machine, and allowed."""

    process_gib: float | None
    process_peak_gib: float | None
    available_gib: float | None
    limit_gib: float | None


def read_memory(process_id: int) -> MemoryReading:
    """Return what a living process holds; None where it cannot be told."""
    status = _text(Path(f"/proc/{process_id}/status"))
    return MemoryReading(
        process_gib=_kib(status, "VmRSS"),
        process_peak_gib=_kib(status, "VmHWM"),
        available_gib=_kib(_text(Path("/proc/meminfo")), "MemAvailable"),
        limit_gib=_limit(),
    )


def out_of_memory_kills() -> int | None:
    """Return how many processes the kernel has killed since it booted, for want of memory."""
    match = re.search(r"^oom_kill (\d+)$", _text(Path("/proc/vmstat")), re.M)
    return int(match[1]) if match else None


def _limit() -> float | None:
    for path in _LIMITS:
        text = _text(path).strip()
        if text.isdigit():
            gib = int(text) / _BYTES_PER_GIB
            return round(gib, 3) if gib < _NO_LIMIT_GIB else None
    return None


def _kib(text: str, name: str) -> float | None:
    match = re.search(rf"^{name}:\s+(\d+) kB$", text, re.M)
    return round(int(match[1]) / _KIB_PER_GIB, 3) if match else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
