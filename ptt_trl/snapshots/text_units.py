"""Cuts text into units that are counted: words, marks, and characters of unspaced scripts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

# Thai, Lao, Burmese, Khmer, kana, CJK ideographs: a whole sentence would otherwise be one word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")
# A loop has a short period, and is told from a list or a refrain by how often it comes.
_LONGEST_PERIOD = 24
_LEAST_ROUNDS = 4
_LEAST_UNITS = 12

_KANA = ("HIRAGANA", "KATAKANA")


def text_units(text: str) -> list[str]:
    """Return the words, punctuation marks, and characters of scripts written without spaces.

    >>> text_units("It is 7, isn't it? 你好")
    ['It', 'is', '7', ',', 'isn', "'", 't', 'it', '?', '你', '好']
    """
    return _UNIT.findall(text)


def pieces(units: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Return every run of so many neighbouring units: bigrams, 4-grams.

    >>> pieces(["a", "b", "c"], 2)
    [('a', 'b'), ('b', 'c')]
    """
    return list(zip(*(units[start:] for start in range(length)), strict=False))


def is_looping(units: Sequence[str]) -> bool:
    """Return whether a text ends in a loop: the same up to 24 units, four times or more.

    >>> is_looping(text_units("So it goes. " + "And on and on. " * 4))
    True
    >>> is_looping(text_units("One two three four five six seven eight nine ten eleven twelve."))
    False
    """
    for period in range(1, _LONGEST_PERIOD + 1):
        needed = max(period * _LEAST_ROUNDS, _LEAST_UNITS)
        if needed > len(units):
            break
        tail = units[-needed:]
        if tail[period:] == tail[:-period]:
            return True
    return False


def dominant_script(text: str) -> str | None:
    """Return the script that most letters of a text belong to; None without letters.

    Kana count as the ideographs that they stand among.

    >>> dominant_script("Hello, мир, hello"), dominant_script("2 + 2"), dominant_script("私は")
    ('LATIN', None, 'CJK')
    """
    scripts = Counter(_script(each) for each in text if each.isalpha())
    return max(scripts, key=scripts.__getitem__) if scripts else None


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0]
    return "CJK" if name in _KANA else name
