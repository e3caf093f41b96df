"""The small parts that a report is made of, as text without any markup."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is said under a heading."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header; all cells but the first of a row are narrow."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float | None) -> str:
    """Return a number as a report shows it.

    >>> number(0.69314718), number(float("nan")), number(None)
    ('0.6931', 'NaN', 'none')
    """
    if value is None:
        return "none"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".replace("+inf", "inf")
    return f"{value:.4g}"


def times(count: int, what: str) -> str:
    """Return a count with its noun.

    >>> times(1, "rule"), times(3, "rule")
    ('1 rule', '3 rules')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
