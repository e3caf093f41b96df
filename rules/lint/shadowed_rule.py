"""shadowed-rule: whenever it holds, another rule at least as severe holds too."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.implication import implies
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Gate, Rule, Status


def check_shadowed_rule(rule: Rule, neighbours: Neighbours) -> Iterator[Finding]:
    """Yield a finding when another rule has always fired, or fires too, where this one does.

    The other rule has a condition that this one's implies (the same metric and statistic, and a
    threshold that is crossed earlier), asks for it no longer, applies in every run and at every
    step in which this one does, and is at least as severe. A milder rule that fires earlier is a
    warning before this one and shadows nothing. Among rules that imply each other the first stays.
    """
    is_later = False
    for other in neighbours.looking_at_the_same(rule):
        if other is rule:
            is_later = True
        elif _shadows(other, rule, neighbours) and not (
            is_later and _shadows(rule, other, neighbours)
        ):
            message = (
                f"never says more than rule {other.id!r} ({other.severity}, "
                f"{other.source}:{other.line}), which holds wherever this one does; "
                "raise its severity, narrow the other, or drop it"
            )
            yield Finding((), message)
            return


def _shadows(other: Rule, rule: Rule, neighbours: Neighbours) -> bool:
    own, theirs = neighbours.behaviour_of(rule), neighbours.behaviour_of(other)
    return (
        other.severity.rank >= rule.highest_severity.rank
        and other.status in (Status.STABLE, rule.status)
        and other.required_observations <= rule.required_observations
        # While it cools down the other is silent.
        and not other.cool_down
        and _counts_alike(other, rule)
        and _covers(other.gate, rule.gate)
        # duplicate-rule tells of these.
        and own.text != theirs.text
        and implies(own.condition, theirs.condition)
    )


def _counts_alike(other: Rule, rule: Rule) -> bool:
    """Return whether the other rule's observations are this one's, or their number is no matter.

    An observation is a row with any of a rule's metrics, so that a rule with more metrics can count
    faster.
    """
    at_once = other.required_observations == 1 and not other.gate.after_observations
    return at_once or set(other.metrics) == set(rule.metrics)


def _covers(other: Gate, gate: Gate) -> bool:
    """Return whether one gate is open wherever another is."""
    trainers = not other.trainers or (bool(gate.trainers) and gate.trainers <= other.trainers)
    phases = not other.learning_rate_phases or (
        bool(gate.learning_rate_phases) and gate.learning_rate_phases <= other.learning_rate_phases
    )
    own = gate.where or {}
    where = all(
        name in own and all(value in values for value in own[name])
        for name, values in (other.where or {}).items()
    )
    return trainers and phases and where and other.trl in ("", gate.trl) and _lasts(other, gate)


def _lasts(other: Gate, gate: Gate) -> bool:
    begins = (
        other.after_observations <= gate.after_observations
        and other.after_steps <= gate.after_steps
        and other.after_fraction <= gate.after_fraction
        and (not other.after_fraction or _bound(other.after_at_most_steps, gate))
    )
    ends_by_step = other.until_steps is None or (
        gate.until_steps is not None and gate.until_steps <= other.until_steps
    )
    ends_by_fraction = other.until_fraction is None or (
        gate.until_fraction is not None and gate.until_fraction <= other.until_fraction
    )
    return begins and ends_by_step and ends_by_fraction


def _bound(other_bound: int | None, gate: Gate) -> bool:
    """Return whether a bound on the start by fraction lets the other begin no later."""
    if gate.after_at_most_steps is None:
        return True
    return other_bound is not None and other_bound <= gate.after_at_most_steps
