"""What a rank measures of itself: time, memory, and whether its own numbers are finite."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import psutil
import torch

_BYTES_PER_GIB = 2**30


@dataclass(frozen=True, slots=True)
class MachineReading:
    """What one rank measured since its last reading; NaN where it could measure nothing.

    ``step_time`` is seconds per optimizer step, ``data_time`` seconds per step outside of it, where
    a rank waits for no other. ``memory`` and its ``capacity`` are GiB: the most that the
    accelerator has reserved, or on CPU what the process holds. ``non_finite`` is 1 if the rank saw
    a number that was not finite.
    """

    step_time: float
    data_time: float
    memory: float
    capacity: float
    non_finite: float

    @classmethod
    def nothing(cls) -> MachineReading:
        """Return the reading of a rank that could measure nothing."""
        return cls(math.nan, math.nan, math.nan, math.nan, 0.0)

    def numbers(self) -> tuple[float, ...]:
        """Return the fields in order, as ``gather`` takes them."""
        return astuple(self)


def machine_row(readings: Sequence[MachineReading]) -> dict[str, float]:
    """Return the readings of all ranks, the first rank's first, as metrics.

    >>> slow, fast = MachineReading(2, 1, 8, 16, 0), MachineReading(2, 0, 8, 16, 1)
    >>> row = machine_row([slow, fast])
    >>> row["data_time/max"], row["data_time/mean"], row["non_finite/other_ranks"]
    (1, 0.5, 1)
    """
    row: dict[str, float] = {}
    for name in ("step_time", "data_time", "memory"):
        values = [getattr(reading, name) for reading in readings]
        if not any(map(math.isnan, values)):
            row[f"{name}/min"] = min(values)
            row[f"{name}/mean"] = sum(values) / len(values)
            row[f"{name}/max"] = max(values)
    free = [reading.capacity - reading.memory for reading in readings]
    if not any(map(math.isnan, free)):
        row["memory/free"] = min(free)
    first, *others = readings
    # What the first rank logs, rules see themselves.
    unseen = 0.0 if first.non_finite else sum(each.non_finite for each in others)
    row["non_finite/other_ranks"] = unseen
    return row


class MachineWatch:
    """Measures the steps of one rank; a clock and counters, nothing that waits for a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began: float | None = None
        self._ended: float | None = None
        self._restart()

    def step_begins(self) -> None:
        """Take in that a step begins."""
        self._began = time.perf_counter()
        if self._ended is not None:
            self._data_time += self._began - self._ended
            self._data_steps += 1

    def step_ends(self) -> None:
        """Take in that a step has ended."""
        now = time.perf_counter()
        # PPOTrainer tells only of the ends of steps.
        since = self._began if self._began is not None else self._ended
        if since is not None:
            self._step_time += now - since
            self._steps += 1
        self._began, self._ended = None, now

    def pause_ends(self) -> None:
        """Take in that a log, an evaluation or a save is over, where ranks may have waited."""
        if self._ended is not None:
            self._ended = time.perf_counter()

    def saw_non_finite(self) -> None:
        """Take in that this rank was given a number that is not finite."""
        self._non_finite = True

    def read(self) -> MachineReading:
        """Return what was measured since the last reading, and begin anew."""
        memory, capacity = _memory(self._device)
        reading = MachineReading(
            step_time=_mean(self._step_time, self._steps),
            data_time=_mean(self._data_time, self._data_steps),
            memory=memory,
            capacity=capacity,
            non_finite=float(self._non_finite),
        )
        self._restart()
        return reading

    def _restart(self) -> None:
        self._step_time = self._data_time = 0.0
        self._steps = self._data_steps = 0
        self._non_finite = False


def _mean(total: float, count: int) -> float:
    return total / count if count else math.nan


def _memory(device: torch.device) -> tuple[float, float]:
    """Return what is in use and what there is, in GiB."""
    if device.type == "cuda":
        capacity = torch.cuda.get_device_properties(device).total_memory
        return torch.cuda.max_memory_reserved(device) / _BYTES_PER_GIB, capacity / _BYTES_PER_GIB
    in_use = psutil.Process().memory_info().rss
    return in_use / _BYTES_PER_GIB, psutil.virtual_memory().total / _BYTES_PER_GIB
