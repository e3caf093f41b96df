"""Text from a user's file as a terminal, JSON or XML can show it."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Escape control characters, line ends and halves of surrogate pairs.

    >>> print(printable("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
