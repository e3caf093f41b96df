"""Guesses what the user meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or all names if none is close.

    >>> did_you_mean("hgh", ["low", "medium", "high"])
    "; did you mean 'high'?"
    >>> did_you_mean("urgent", ["low", "high"])
    '; there are high, low'
    """
    names = sorted(str(name) for name in known)
    close = difflib.get_close_matches(str(wrong), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(names)}" if names else ""
