"""duplicate-rule: the same condition in the same runs as another rule."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Rule


def check_duplicate_rule(rule: Rule, neighbours: Neighbours) -> Iterator[Finding]:
    """Yield a finding when an earlier rule has the same condition, gate and ``for``.

    Rules that differ in ``for`` alone are two levels of one trouble and no duplicates.
    """
    first = neighbours.first_like(rule)
    if first is not rule:
        place = f"{first.source}:{first.line}"
        message = f"has the condition and the gate of rule {first.id!r} at {place}; keep one"
        yield Finding((), message)
