"""Which rules are consequences of which: ``inhibits`` and ``caused_by`` as one relation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from post_training_toolkit.rules.model import Rule


def root_causes(rules: Iterable[Rule]) -> dict[str, frozenset[str]]:
    """Return, for each rule that can be a consequence, the ids of the rules that can cause it.

    Ids that were renamed are resolved; ids of rules that are not among ``rules`` are left out.
    """
    rules = list(rules)
    current = current_ids(rules)
    causes: dict[str, set[str]] = {}
    for rule in rules:
        for consequence in rule.inhibits:
            if consequence in current:
                causes.setdefault(current[consequence], set()).add(rule.id)
        for cause in rule.caused_by:
            if cause in current:
                causes.setdefault(rule.id, set()).add(current[cause])
    return {consequence: frozenset(found) for consequence, found in causes.items()}


def current_ids(rules: Iterable[Rule]) -> dict[str, str]:
    """Return the id of today for every id that the rules have or had."""
    rules = list(rules)
    old = {former: rule.id for rule in rules for former in rule.renamed_from}
    return {**old, **{rule.id: rule.id for rule in rules}}


def find_cycle(causes: Mapping[str, frozenset[str]]) -> tuple[str, ...] | None:
    """Return a chain of rules that cause each other in a circle, or None.

    >>> find_cycle({"a": frozenset({"b"}), "b": frozenset({"a"})})
    ('a', 'b', 'a')
    """
    settled: set[str] = set()
    for start in sorted(causes):
        # One path at a time, with an iterator of the causes still to be tried at each of its steps.
        path, untried = [start], [iter(sorted(causes[start]))]
        while path:
            following = next(untried[-1], None)
            if following is None:
                settled.add(path.pop())
                untried.pop()
            elif following in path:
                return (*path[path.index(following) :], following)
            elif following in causes and following not in settled:
                path.append(following)
                untried.append(iter(sorted(causes[following])))
    return None
