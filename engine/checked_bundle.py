"""Loads rules with every check there is, those that need the engine included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.condition import (
    Condition,
    ReferenceStatistic,
    StatisticChoice,
    WholeRun,
    metric_conditions,
)
from post_training_toolkit.rules.model import Rule, RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError, Problem

_RIVER_PREFIX = "river."


def load_checked_bundle(sources: Iterable[Source]) -> RuleBundle:
    """Load sources into one bundle, as ``load_bundle``, and try what they name of river.

    Raises ``InvalidRulesError`` with every mistake found.

    >>> from post_training_toolkit.rules.sources import default_sources
    >>> len(load_checked_bundle(default_sources()).rules) > 5
    True
    """
    bundle = load_bundle(sources)
    problems = [problem for rule in bundle.rules for problem in check_statistics(rule)]
    if problems:
        raise InvalidRulesError(problems)
    return bundle


def check_statistics(rule: Rule) -> Iterator[Problem]:
    """Yield a problem for every statistic of river, named by a rule, that cannot be used."""
    choices = list(_choices(rule.condition))
    if rule.escalation is not None:
        choices += _choices(rule.escalation.condition)
    for choice in choices:
        if choice.name.startswith(_RIVER_PREFIX):
            wrong = _what_is_wrong(choice)
            if wrong is not None:
                yield Problem(rule.source, rule.line, rule.column, rule.id, wrong)


def _choices(condition: Condition) -> Iterator[StatisticChoice]:
    for part in metric_conditions(condition):
        yield part.statistic
        if isinstance(part.threshold.reference, ReferenceStatistic):
            yield part.threshold.reference.statistic


def _what_is_wrong(choice: StatisticChoice) -> str | None:
    # Most rules name no statistic of river, and river takes half a second to import.
    from post_training_toolkit.engine.statistics.registry import StatisticError, build_statistic

    window = None if isinstance(choice.window, WholeRun) else choice.window.at_least
    try:
        build_statistic(choice.name, window, choice.parameters)
    except StatisticError as error:
        return str(error)
    return None
