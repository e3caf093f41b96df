"""How often at least one of k attempts succeeds, and how often all of them do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassAtK:
    """Means over the tasks with ``k`` judged attempts or more, of which there are ``tasks``."""

    k: int
    tasks: int
    any_passes: float
    all_pass: float


def pass_at_k(attempts: Sequence[tuple[int, int]]) -> tuple[PassAtK, ...]:
    """Return both for k = 1, 2, 4, ... from (attempts, successes) of each task.

    The estimators are without bias: 1 - C(n - c, k) / C(n, k), of Chen et al. (2021,
    arXiv:2107.03374, section 2.1), and C(c, k) / C(n, k), of Yao et al. (2024, arXiv:2406.12045).

    >>> [(each.k, each.any_passes, each.all_pass) for each in pass_at_k([(2, 1), (2, 2)])]
    [(1, 0.75, 0.75), (2, 1.0, 0.5)]
    """
    most = max((n for n, _ in attempts), default=0)
    found = []
    k = 1
    while k <= most:
        known = [(n, c) for n, c in attempts if n >= k]
        any_passes = sum(1 - math.comb(n - c, k) / math.comb(n, k) for n, c in known)
        all_pass = sum(math.comb(c, k) / math.comb(n, k) for n, c in known)
        found.append(PassAtK(k, len(known), any_passes / len(known), all_pass / len(known)))
        k *= 2
    return tuple(found)
