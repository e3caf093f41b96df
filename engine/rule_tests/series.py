"""The compact notation of a series of logged values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ITEM = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<kind>[-+~])(?P<step>{_NUMBER}))?(?:x(?P<count>\d{{1,9}}))?", re.A
)
_WORD = re.compile(r"(?P<word>nan|inf|-inf|null|_)(?:x(?P<count>\d{1,9}))?", re.A)
_WORDS: Mapping[str, float | None] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "null": None,
}
# As many as the largest window a rule may have.
MAX_LENGTH = 100_000
_SHOWN_LENGTH = 40


class NotLogged:
    """Stands for a step at which a metric was not logged."""


NOT_LOGGED = NotLogged()
SeriesValue = float | None | NotLogged


def parse_series(text: str) -> list[SeriesValue]:
    """Expand the compact notation of a series; raises ``ValueError`` for what is none.

    >>> parse_series("0.5 1x2 3-0.5x3 2~0.5x2 null")
    [0.5, 1.0, 1.0, 3.0, 2.5, 2.0, 2.5, 1.5, None]
    """
    values: list[SeriesValue] = []
    for item in text.split():
        match = _WORD.fullmatch(item) or _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(
                f"{_shown(item)} is no series; write such as 0.7, 0.7x20, 0.7-0.01x20, nan, _"
            )
        count = int(match["count"] or 1)
        if count == 0:
            raise ValueError(f"{_shown(item)} gives no value; leave it out")
        if len(values) + count > MAX_LENGTH:
            raise ValueError(f"a series has at most {MAX_LENGTH:,} values")
        values += _expand(match, count)
    if not values:
        raise ValueError("an empty series tests nothing; give values or leave the metric out")
    return values


def _expand(match: re.Match[str], count: int) -> list[SeriesValue]:
    groups = match.groupdict()
    if "word" in groups:
        word = groups["word"]
        return [NOT_LOGGED if word == "_" else _WORDS[word]] * count
    start, step = float(match["start"]), float(match["step"] or 0.0)
    if match["kind"] == "~":
        values = [start + step if index % 2 == 0 else start - step for index in range(count)]
    elif match["kind"]:
        sign = 1.0 if match["kind"] == "+" else -1.0
        values = [start + sign * step * index for index in range(count)]
    else:
        values = [start] * count
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{_shown(match[0])} leaves the range of numbers; write inf, -inf or nan")
    return [*values]


def _shown(item: str) -> str:
    return repr(item if len(item) <= _SHOWN_LENGTH else f"{item[:_SHOWN_LENGTH]}...")
