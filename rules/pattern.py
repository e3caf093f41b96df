"""Regular expressions of rules: those that cannot take long, whatever text they are given."""

from __future__ import annotations

import re
from dataclasses import dataclass

# No longer text is searched; what matters in a traceback stands at its end.
MOST_TEXT = 20_000
# How many ways a pattern may have to match from one place; one repetition without end fits.
_MOST_WAYS = 50_000

_TOKEN = re.compile(
    r"""
    (?P<escape>\\.)
    | (?P<characters>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<flags>\(\?[ims]+\))
    | (?P<open>\((?:\?(?:[:=!>]|<[=!]|P<\w+>)|(?!\?)))
    | (?P<unknown>\(\?)
    | (?P<close>\))
    | (?P<bar>\|)
    | (?P<repeat>[*+?]|\{(?=[\d,])(?P<low>\d*)(?P<comma>,)?(?P<high>\d*)\})(?P<manner>[?+]?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class PatternError(ValueError):
    """A pattern that is no regular expression, or one that could take too long."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """Return the compiled pattern; ^ and $ in it match at every line.

    A backtracking search takes time in proportion to the ways in which a pattern can match. So
    nothing but one character or class can be repeated, there are no references to groups, and the
    product of what repetitions and alternatives allow is bounded: one ``*`` or ``+`` fits, or
    several repetitions with an end, such as ``.{0,80}``. Raises ``PatternError``.

    >>> compile_pattern("out of .{0,20}memory").search("CUDA out of memory") is not None
    True
    """
    try:
        compiled = re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"no regular expression: {error}") from None
    if _ways(text) > _MOST_WAYS:
        raise PatternError(
            "it can take too long on some texts; write .{0,80} in place of .* and .+, "
            "and more patterns in place of one with many alternatives"
        )
    if compiled.search(""):
        raise PatternError("it matches every text")
    return compiled


@dataclass(slots=True)
class _Group:
    """A group being read: the ways of the branches before, of this one, and of its last part."""

    before: int = 0
    sequence: int = 1
    last: int = 1
    last_is_group: bool = False

    def take(self, ways: int, *, is_group: bool = False) -> None:
        self.sequence *= self.last
        self.last, self.last_is_group = ways, is_group

    @property
    def ways(self) -> int:
        return self.before + self.sequence * self.last


def _ways(text: str) -> int:
    """Return an upper bound of the ways in which a valid pattern can match from one place."""
    groups = [_Group()]
    for token in _TOKEN.finditer(text):
        group = groups[-1]
        match token.lastgroup:
            case "open":
                groups.append(_Group())
            case "close":
                groups.pop()
                groups[-1].take(group.ways, is_group=True)
            case "bar":
                groups[-1] = _Group(before=group.ways)
            case "unknown":
                raise PatternError(f"{text[token.start() :][:4]!r} is not allowed in a rule")
            case "escape" if token[0][1] in "123456789":
                raise PatternError(
                    f"a reference to a group, {token[0]!r}, is not allowed in a rule"
                )
            case "manner":
                least, most = _times(token)
                if group.last_is_group and most > 1:
                    raise PatternError(
                        "a group cannot be repeated: it can take too long on some texts"
                    )
                group.last += most - least
            case "flags":
                pass
            case _:
                group.take(1)
    return groups[0].ways


def _times(token: re.Match[str]) -> tuple[int, int]:
    """Return how often a repetition can match at least and at most."""
    match token["repeat"]:
        case "?":
            return 0, 1
        case "*" | "+":
            return 0, MOST_TEXT
    least = int(token["low"] or 0)
    most = token["high"] if token["comma"] else token["low"]
    return least, int(most) if most else MOST_TEXT
