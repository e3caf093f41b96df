"""A compiled threshold: the interval of numbers that are bad."""

from __future__ import annotations

import math
from dataclasses import dataclass

from post_training_toolkit.rules.condition import Comparison


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that break a threshold, and how to say so.

    A number is bad when it lies in the closed interval from ``first`` to ``last``, or with
    ``inside`` False when it lies outside. Every comparison is of that form: above 2 is the interval
    from the next float after 2.
    """

    comparison: Comparison
    text: str
    first: float = math.nan
    last: float = math.nan
    inside: bool = True

    def are_broken_by(self, x: float) -> bool:
        """Return whether a number is bad.

        >>> limits_of(Comparison.ABOVE, 2.0, 2.0, "above 2").are_broken_by(2.0)
        False
        """
        return (self.first <= x <= self.last) is self.inside

    def lie_within(self, distance: float, x: float) -> bool:
        """Return whether a number so far from ``x`` may be judged differently."""
        return abs(x - self.first) <= distance or abs(x - self.last) <= distance

    @property
    def worse_upwards(self) -> bool | None:
        """Whether larger is worse, or None where no direction is."""
        match self.comparison:
            case Comparison.ABOVE:
                return True
            case Comparison.BELOW:
                return False
            case _:
                return None


def limits_of(comparison: Comparison, low: float, high: float, text: str) -> Limits:
    """Return the limits of a comparison of numbers; above uses ``low``, below ``high``.

    Raises ``ValueError`` for a comparison that compares nothing.
    """
    match comparison:
        case Comparison.ABOVE:
            return Limits(comparison, text, math.nextafter(low, math.inf), math.inf)
        case Comparison.BELOW:
            return Limits(comparison, text, -math.inf, math.nextafter(high, -math.inf))
        case Comparison.BETWEEN | Comparison.EQUALS:
            return Limits(comparison, text, low, high)
        case Comparison.OUTSIDE:
            return Limits(comparison, text, low, high, inside=False)
        case Comparison.NON_FINITE | Comparison.MISSING:
            raise ValueError(f"{comparison} is no comparison of numbers")
