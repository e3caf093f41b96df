"""citation-without-locator: a source without the place in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.model import Citation, Rule

# An address that leads to one place by itself: an anchor, or a thread.
_PRECISE = re.compile(r"#.|/(issues|pull|discussions)/\d+")


def check_citation_without_locator(rule: Rule, _: Neighbours) -> Iterator[Finding]:
    """Yield a finding for every citation that leaves its reader to search the whole source."""
    for index, citation in enumerate(rule.citations):
        if citation.locator is None and not _is_precise(citation):
            message = (
                f"cites {citation.title!r} without 'locator'; "
                "name the section, equation, figure or function"
            )
            yield Finding(("citation", index), message)


def _is_precise(citation: Citation) -> bool:
    """Return whether the address alone leads to the place.

    >>> _is_precise(Citation("T", "remedy", url="https://github.com/huggingface/trl/issues/1311"))
    True
    >>> _is_precise(Citation("T", "remedy", url="https://huggingface.co/docs/trl"))
    False
    """
    return citation.url is not None and _PRECISE.search(citation.url) is not None
