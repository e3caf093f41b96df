"""What a check of one rule found, and where in the rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from post_training_toolkit.rules.condition import AllOf, AnyOf, Condition, MetricCondition, Not
from post_training_toolkit.rules.document import Path
from post_training_toolkit.rules.model import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; ``path`` leads from the rule's entry to the key that it is about."""

    path: Path
    message: str


def placed_conditions(rule: Rule) -> Iterator[tuple[Path, MetricCondition]]:
    """Yield every comparison of a rule with its path, those of the second level last.

    A comparison that the second level shares with the first is yielded once.
    """
    seen = set()
    for path, condition in _walk(rule.condition, ()):
        seen.add(id(condition))
        yield path, condition
    if rule.escalation is not None:
        for path, condition in _walk(rule.escalation.condition, ("escalation",)):
            if id(condition) not in seen:
                yield path, condition


def _walk(condition: Condition, path: Path) -> Iterator[tuple[Path, MetricCondition]]:
    match condition:
        case MetricCondition():
            yield path, condition
        case AllOf(parts=parts):
            for index, part in enumerate(parts):
                yield from _walk(part, (*path, "all", index))
        case AnyOf(parts=parts):
            for index, part in enumerate(parts):
                yield from _walk(part, (*path, "any", index))
        case Not(part=part):
            yield from _walk(part, (*path, "not"))
