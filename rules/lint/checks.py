"""The checks by the code that their findings carry, and what each code means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from post_training_toolkit.rules.lint.citation_missing import check_citation_missing
from post_training_toolkit.rules.lint.citation_without_locator import (
    check_citation_without_locator,
)
from post_training_toolkit.rules.lint.dead_rule import check_dead_rule
from post_training_toolkit.rules.lint.duplicate_rule import check_duplicate_rule
from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.lint.shadowed_rule import check_shadowed_rule
from post_training_toolkit.rules.lint.threshold_range import (
    check_threshold_always,
    check_threshold_never,
)
from post_training_toolkit.rules.lint.warm_up_too_short import check_warm_up_too_short
from post_training_toolkit.rules.model import Rule

# A check looks at one rule, and at the bundle that it is part of.
Check = Callable[[Rule, Neighbours], Iterator[Finding]]

# Found while overrides and selections are resolved, not by looking at a rule.
RENAMED_ID = "renamed-id"

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "dead-rule": check_dead_rule,
        "duplicate-rule": check_duplicate_rule,
        "shadowed-rule": check_shadowed_rule,
        "threshold-never": check_threshold_never,
        "threshold-always": check_threshold_always,
        "warm-up-too-short": check_warm_up_too_short,
        "citation-missing": check_citation_missing,
        "citation-without-locator": check_citation_without_locator,
    }
)

CODES: Mapping[str, str] = MappingProxyType(
    {
        "dead-rule": "No trainer that the rule is for ever logs this metric.",
        "duplicate-rule": "Another rule has the same condition and applies in the same runs.",
        "shadowed-rule": "Whenever the rule holds, another at least as severe holds too.",
        "threshold-never": "The threshold lies where the statistic can never be.",
        "threshold-always": "The threshold holds whatever is logged.",
        "warm-up-too-short": "The rule may no longer be judged when its window has filled.",
        "citation-missing": "Sources are cited, but none for why the condition is bad.",
        "citation-without-locator": "A source is cited without the place in it.",
        RENAMED_ID: "A rule is called by an id that it no longer has.",
    }
)
