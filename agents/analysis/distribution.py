"""How a quantity is distributed over episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Distribution:
    """Quantiles of a quantity over ``episodes`` episodes, and its sum."""

    episodes: int
    lower_quartile: float
    median: float
    upper_quartile: float
    p95: float
    largest: float
    total: float

    def to_json(self) -> dict[str, float]:
        """Return the quantiles as JSON holds them."""
        return asdict(self)


def distribution(values: Sequence[float]) -> Distribution | None:
    """Return the distribution of the values, None if there is none.

    >>> distribution([1, 2, 3, 4]).median
    2.5
    """
    if not values:
        return None
    lower, middle, upper, p95 = np.percentile(values, (25, 50, 75, 95)).tolist()
    largest, total = float(max(values)), float(sum(values))
    return Distribution(len(values), lower, middle, upper, p95, largest, total)
