"""citation-missing: sources for the number or the remedy, but none for why it is bad."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Rule


def check_citation_missing(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding when a rule cites sources and none of them supports the mechanism.

    A rule without any citation says by its ``threshold_origin`` (derivation or empirical, anything
    else is an error) that its author stands for it.
    """
    if rule.citations and all(each.supports != "mechanism" for each in rule.citations):
        supported = " and ".join(sorted({each.supports for each in rule.citations}))
        message = f"cites sources for {supported} only; add one that 'supports: mechanism'"
        yield Finding(("citation",), message)
