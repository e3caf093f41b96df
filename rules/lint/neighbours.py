"""The rules of a bundle, prepared once so that each can be compared with all others."""

from __future__ import annotations

from collections.abc import Iterable

from post_training_toolkit.rules.lint.behaviour import Behaviour, behaviour
from post_training_toolkit.rules.model import Rule


class Neighbours:
    """Finds the rules that behave like a rule, and those that look at the same numbers.

    ``rules`` is every rule of the bundle, in its order.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._behaviours = {rule.id: behaviour(rule) for rule in self.rules}
        self._first_of_kind: dict[str, Rule] = {}
        self._by_number: dict[str, list[Rule]] = {}
        for rule in self.rules:
            own = self._behaviours[rule.id]
            self._first_of_kind.setdefault(own.text, rule)
            for number in own.numbers:
                self._by_number.setdefault(number, []).append(rule)

    def behaviour_of(self, rule: Rule) -> Behaviour:
        """Return what makes the rule fire."""
        return self._behaviours[rule.id]

    def first_like(self, rule: Rule) -> Rule:
        """Return the first rule with the same behaviour, which may be the rule itself."""
        return self._first_of_kind[self._behaviours[rule.id].text]

    def looking_at_the_same(self, rule: Rule) -> list[Rule]:
        """Return the rules that compare a number that this rule compares too, itself included."""
        found = {
            other.id
            for number in self._behaviours[rule.id].numbers
            for other in self._by_number[number]
        }
        return [other for other in self.rules if other.id in found]
