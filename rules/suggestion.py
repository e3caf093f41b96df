"""Guesses what the user meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def guess(wrong: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or nothing if none is close.

    >>> guess("hgh", ["low", "medium", "high"])
    "; did you mean 'high'?"
    >>> guess("urgent", ["low", "high"])
    ''
    """
    close = difflib.get_close_matches(str(wrong), sorted(str(name) for name in known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """Return the guess, or all that is known if nothing is close; for short lists of names.

    >>> did_you_mean("urgent", ["low", "high"])
    '; there are high, low'
    """
    names = sorted(str(name) for name in known)
    everything = f"; there are {', '.join(names)}" if names else ""
    return guess(wrong, names) or everything
