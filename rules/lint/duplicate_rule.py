"""duplicate-rule: the same condition in the same runs as another rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from post_training_toolkit.rules.lint.behaviour import behaviour
from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.model import Rule


def check_duplicate_rule(rule: Rule, rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield a finding when an earlier rule has the same condition, gate and ``for``.

    Rules that differ in ``for`` alone are two levels of one trouble and no duplicates.
    """
    own = behaviour(rule)
    for other in rules:
        if other is rule:
            return
        # The metrics alone tell most rules apart, at a fraction of the cost.
        if set(other.metrics) == set(rule.metrics) and behaviour(other) == own:
            place = f"{other.source}:{other.line}"
            message = f"has the condition and the gate of rule {other.id!r} at {place}; keep one"
            yield Finding((), message)
            return
