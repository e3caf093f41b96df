"""Which machine a run is on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil
import torch

from post_training_toolkit.ptt_trl.postmortem.memory import read_memory

_BYTES_PER_GIB = 2**30
_DRIVER = Path("/proc/driver/nvidia/version")


def hardware() -> dict[str, Any]:
    """Return processors, memory, accelerators and what drives them; None where not known.

    ``cpu_count`` are those that this process may use, ``memory_limit_gib`` is the control group's.
    """
    devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return {
        "platform": platform.platform(),
        "cpu": _processor(),
        "cpu_count": _usable_processors(),
        "memory_gib": round(psutil.virtual_memory().total / _BYTES_PER_GIB, 1),
        "memory_limit_gib": read_memory(os.getpid()).limit_gib,
        "accelerators": [
            f"{each.name} ({each.total_memory / _BYTES_PER_GIB:.0f} GiB)" for each in devices
        ],
        "cuda": torch.version.cuda or torch.version.hip,
        "driver": _driver(),
    }


def _processor() -> str | None:
    match = re.search(r"^model name\s*: (.+)$", _text(Path("/proc/cpuinfo")), re.M)
    return match[1] if match else platform.processor() or None


def _usable_processors() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _driver() -> str | None:
    match = re.search(r"Kernel Module\s[^\d]*([\d.]+)", _text(_DRIVER))
    return match[1] if match else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
