"""A share of episodes with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

# The standard normal quantile of 97.5 %.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``of``; ``of`` is above 0."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share, from 0 to 1."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927), which also holds for few episodes and rare events.

        >>> [round(bound, 3) for bound in Share(0, 10).interval]
        [0.0, 0.278]
        """
        n, p = self.of, self.value
        centre = p + _Z**2 / (2 * n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)

    def __str__(self) -> str:
        """Say the share with its interval.

        >>> str(Share(42, 100))
        '42 of 100 (42 %, 33 to 52 %)'
        """
        low, high = (100 * bound for bound in self.interval)
        share = f"{100 * self.value:.0f} %, {low:.0f} to {high:.0f} %"
        return f"{self.count} of {self.of} ({share})"

    def to_json(self) -> dict[str, float]:
        """Return the share as JSON holds it."""
        low, high = self.interval
        return {"count": self.count, "of": self.of, "share": self.value, "low": low, "high": high}
