"""How bad a finding is."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: ``low < medium < high < critical``.

    >>> Severity("high").rank > Severity.MEDIUM.rank
    True
    """

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for low; compare ranks, since strings compare by letter."""
        return tuple(Severity).index(self)
