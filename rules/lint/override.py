"""Findings in the thresholds that overrides give to rules of other files."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.document import Document
from post_training_toolkit.rules.lint.checks import CHECKS
from post_training_toolkit.rules.lint.finding import Finding, placed_conditions
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.relations import current_ids

_CODES = ("threshold-never", "threshold-always")


def lint_overrides(document: Document, neighbours: Neighbours) -> Iterator[tuple[str, Finding]]:
    """Yield a code and a finding for each threshold in a file's overrides that makes no sense.

    ``neighbours`` are the rules with the overrides applied. Paths start at the file.
    """
    ids = current_ids(neighbours.rules)
    by_id = {rule.id: rule for rule in neighbours.rules}
    for index, entry in enumerate(document.data.get("overrides", ())):
        # A rule that was ignored or disabled has no new threshold.
        rule = by_id.get(ids.get(entry["id"], ""))
        if "threshold" not in entry or rule is None:
            continue
        labels = {(*path, "threshold"): each.label for path, each in placed_conditions(rule)}
        for code in _CODES:
            for finding in CHECKS[code](rule, neighbours):
                place = finding.path[:-1]
                if place in labels and entry.get("label") in (None, labels[place]):
                    path = ("overrides", index, "threshold", finding.path[-1])
                    yield code, Finding(path, finding.message)
