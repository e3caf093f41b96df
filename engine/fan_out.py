"""Makes one rule out of a rule with globs for everything that its metrics turn out to be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from post_training_toolkit.rules.condition import bind_glob
from post_training_toolkit.rules.model import Rule

# A metric whose name grows with every step must not grow the engine.
MAX_CAPTURES = 100


class FanOut:
    """Follows which metrics a rule's globs match.

    ``captures`` holds what its ``*`` has stood for so far, in the order of appearance;
    ``has_left_out`` says whether there were more than it can hold.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.captures: dict[str, None] = {}
        self.has_left_out = False
        self.patterns = tuple(metric for metric in rule.metrics if "*" in metric)
        self._expressions = [_expression(pattern) for pattern in self.patterns]

    def take(self, metrics: Iterable[str]) -> list[tuple[str, Rule]]:
        """Return (capture, rule without globs) for every capture that is new among the metrics."""
        made = []
        for metric in metrics:
            for expression in self._expressions:
                match = expression.fullmatch(metric)
                if match is None or match[1] in self.captures:
                    continue
                if len(self.captures) >= MAX_CAPTURES:
                    self.has_left_out = True
                    continue
                self.captures[match[1]] = None
                made.append((match[1], bind_rule(self.rule, match[1])))
        return made


def bind_rule(rule: Rule, capture: str) -> Rule:
    """Return the rule with ``capture`` in place of its globs."""
    escalation = rule.escalation
    if escalation is not None:
        escalation = replace(escalation, condition=bind_glob(escalation.condition, capture))
    return replace(rule, condition=bind_glob(rule.condition, capture), escalation=escalation)


def _expression(pattern: str) -> re.Pattern[str]:
    before, _, after = pattern.partition("*")
    return re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}")
