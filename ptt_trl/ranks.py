"""What the processes of a distributed run tell each other; every rank must make each call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.distributed

Shared = TypeVar("Shared")


def is_distributed() -> bool:
    """Return whether several processes train together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def all_ranks(answer: bool, device: torch.device) -> bool:
    """Return whether the answer is yes on every rank."""
    shared = torch.tensor([int(answer)], device=device)
    torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MIN)
    return bool(shared.item())


def gather(numbers: Sequence[float], device: torch.device) -> list[list[float]]:
    """Return the numbers of every rank, in the order of ranks, on every rank."""
    own = torch.tensor(numbers, device=device, dtype=torch.float32)
    of_all = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(of_all, own)
    return [each.tolist() for each in of_all]


def gather_objects(own: Shared) -> list[Shared]:
    """Return what every rank gave, in the order of ranks, on every rank; it must be picklable."""
    of_all: list[Shared] = [own] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(of_all, own)
    return of_all
