"""The numeric thresholds of rules, each as something that can be turned louder or quieter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from post_training_toolkit.rules.condition import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    MetricCondition,
    Not,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.expression import parse_expression
from post_training_toolkit.rules.model import Rule

# Thresholds are searched up to this size, and down to this size on either side of 0.
_LARGEST = 1e12
_SMALLEST = 1e-9
# A threshold that depends on the configuration is scaled, by at most this factor either way.
_LARGEST_FACTOR = 1e6


@dataclass(frozen=True, slots=True)
class Knob:
    """One ``above`` or ``below`` of a rule.

    ``rule`` holds one level only. ``today`` is the number of the threshold; None for one that
    depends on the configuration, which is scaled instead, so that 1 is as it is today. ``_place``
    counts the comparisons of the condition in the order of the file.
    """

    rule: Rule
    comparison: MetricCondition
    today: float | None
    _place: int

    @property
    def key(self) -> str:
        """A name that no other knob has."""
        return f"{self.rule.id}.{self.rule.severity}.{self._place}"

    @property
    def reach(self) -> float:
        """How far the positions of the knob reach, from minus this to this."""
        return math.log(_LARGEST_FACTOR if self.today is None else _LARGEST / _SMALLEST)

    @property
    def is_above(self) -> bool:
        """Whether a larger threshold is quieter."""
        return self.comparison.threshold.comparison is Comparison.ABOVE

    def number(self, position: float) -> float:
        """Return the threshold, or the factor, at a position; larger positions are quieter.

        Positions are a logarithm that also passes through 0.
        """
        along = position if self.is_above else -position
        if self.today is None:
            return math.exp(along)
        return math.copysign(math.expm1(abs(along)) * _SMALLEST, along)

    def rule_at(self, position: float) -> Rule:
        """Return the rule with the threshold at a position, under the knob's own name."""
        number = self.number(position)
        threshold = self.comparison.threshold
        text = threshold.bounds[0].text
        bound = parse_expression(number if self.today is not None else f"({text}) * {number!r}")
        changed = replace(self.comparison, threshold=replace(threshold, bounds=(bound,)))
        condition = _exchange(self.rule.condition, self.comparison, changed)
        return replace(self.rule, id=self.key, condition=condition)


def find_knobs(rules: Iterable[Rule]) -> list[Knob]:
    """Return every ``above`` and ``below`` of the rules, both levels, in order.

    Those inside ``not`` are left out: turning them quiet can make the rule fire.
    """
    return [knob for rule in rules for level in _levels(rule) for knob in _knobs(level)]


def _levels(rule: Rule) -> Iterator[Rule]:
    """Yield a rule for each level, cut off from the relations with other rules."""
    alone = replace(rule, escalation=None, inhibits=(), caused_by=(), renamed_from=())
    yield alone
    if rule.escalation is not None:
        higher = rule.escalation
        yield replace(
            alone,
            severity=higher.severity,
            condition=higher.condition,
            required_observations=higher.required_observations,
        )


def _knobs(rule: Rule) -> Iterator[Knob]:
    for place, part in enumerate(_turnable(rule.condition)):
        threshold = part.threshold
        if threshold.comparison in (Comparison.ABOVE, Comparison.BELOW):
            [bound] = threshold.bounds
            yield Knob(rule, part, None if bound.names else bound.evaluate({}), place)


def _turnable(condition: Condition) -> Iterator[MetricCondition]:
    match condition:
        case MetricCondition():
            yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _turnable(part)
        case Not() | CrashCondition():
            return


def _exchange(condition: Condition, old: MetricCondition, new: MetricCondition) -> Condition:
    match condition:
        case MetricCondition():
            return new if condition is old else condition
        case AllOf(parts=parts):
            return AllOf(tuple(_exchange(part, old, new) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(_exchange(part, old, new) for part in parts))
        case Not() | CrashCondition():
            return condition
