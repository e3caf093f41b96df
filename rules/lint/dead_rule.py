"""dead-rule: a metric that no trainer of the gate ever logs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from post_training_toolkit.rules.catalogue import known_metrics, rule_subjects
from post_training_toolkit.rules.condition import MetricCondition, ReferenceStatistic
from post_training_toolkit.rules.document import Path
from post_training_toolkit.rules.lint.finding import Finding, placed_conditions
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.suggestion import guess


def check_dead_rule(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding for every metric that none of the rule's trainers is known to log.

    A condition on it is never judged. A metric that users log themselves is known to them alone, so
    this is a finding and no error.
    """
    trainers = rule.gate.trainers or rule_subjects()
    known = frozenset[str]().union(*(known_metrics(trainer) for trainer in trainers))
    told = set()
    for path, condition in placed_conditions(rule):
        for place, metric in _metrics(path, condition):
            if metric not in told and not _is_logged(metric, known):
                told.add(metric)
                where = " or ".join(sorted(trainers))
                message = f"no {where} run logs a metric {metric!r}{guess(metric, known)}"
                yield Finding(place, message)


def _metrics(path: Path, condition: MetricCondition) -> Iterator[tuple[Path, str]]:
    yield (*path, "metric"), condition.metric
    if condition.statistic.other_metric is not None:
        yield (*path, "statistic", "with"), condition.statistic.other_metric
    threshold = condition.threshold
    if isinstance(threshold.reference, ReferenceStatistic) and threshold.reference.metric:
        yield (*path, "threshold", threshold.relation.value, "metric"), threshold.reference.metric


def _is_logged(metric: str, known: Collection[str]) -> bool:
    """Return whether a key may bear the name; both sides may hold a ``*`` for part of a name.

    >>> _is_logged("rewards/*/std", {"rewards/*/std", "loss"})
    True
    >>> _is_logged("rewards/format/std", {"rewards/*/std"})
    True
    >>> _is_logged("reward/*/std", {"rewards/*/std"})
    False
    """
    if metric in known:
        return True
    matches = _pattern(metric).fullmatch
    return any(matches(key) or ("*" in key and _pattern(key).fullmatch(metric)) for key in known)


def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, glob.split("*"))))
