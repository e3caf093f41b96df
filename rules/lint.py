"""Findings in rules that are valid but probably not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.catalogue import catalogued_trainers, known_metrics
from post_training_toolkit.rules.model import Rule, metric_conditions
from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.suggestion import did_you_mean


def lint_rule(rule: Rule) -> Iterator[Problem]:
    """Yield a finding for every metric that none of the rule's trainers is known to log.

    Such a rule never fires. Rules for a trainer without a catalogue, and metrics a user logs
    themselves, cannot be judged, so this is a finding and no error.
    """
    trainers = rule.gate.trainers or catalogued_trainers()
    if not trainers <= catalogued_trainers():
        return
    known = frozenset[str]().union(*(known_metrics(trainer) for trainer in trainers))
    for condition in metric_conditions(rule.condition):
        if condition.metric not in known:
            where = " or ".join(sorted(trainers))
            guess = did_you_mean(condition.metric, known)
            # Listing every metric there is would bury the finding.
            guess = guess if guess.startswith("; did") else ""
            message = f"no {where} run logs a metric {condition.metric!r}{guess}"
            yield Problem(rule.source, rule.line, rule.column, rule.id, message)
