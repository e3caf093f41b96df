"""Findings in rules that are valid but probably not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.catalogue import catalogued_trainers, known_metrics
from post_training_toolkit.rules.model import Rule, metric_conditions
from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.profile import config_classes
from post_training_toolkit.rules.suggestion import guess


def lint_rule(rule: Rule) -> Iterator[Problem]:
    """Yield a finding for every metric that none of the rule's trainers is known to log.

    Such a rule never fires. A rule for a trainer without a catalogue cannot be judged, and a metric
    that users log themselves is known to them alone, so this is a finding and no error.
    """
    trainers = rule.gate.trainers or frozenset(config_classes().values())
    if not trainers <= catalogued_trainers():
        return
    known = frozenset[str]().union(*(known_metrics(trainer) for trainer in trainers))
    for condition in metric_conditions(rule.condition):
        if condition.metric not in known:
            where = " or ".join(sorted(trainers))
            message = f"no {where} run logs a metric {condition.metric!r}"
            message += guess(condition.metric, known)
            yield Problem(rule.source, rule.line, rule.column, rule.id, message)
