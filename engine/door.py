"""The one door: turns whatever a trainer logged into finite numbers and named signals."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from types import NoneType
from typing import Any

import orjson

# How a non-finite number is written in the metrics file, which is strict JSON.
_NON_FINITE_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What float() and item() raise for something else: an array, a complex number, a signalling NaN.
_NO_NUMBER = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_MAX_TEXT = 1000
_MAX_DEPTH = 5
_NOTHING_MISSING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One logged row behind the door.

    ``values`` are finite floats and the only part a statistic ever sees. ``non_finite`` holds NaN
    and infinities, ``missing`` the keys that were logged as None, ``texts`` all that is no number.
    """

    values: Mapping[str, float]
    non_finite: Mapping[str, float]
    missing: frozenset[str]
    texts: Mapping[str, str]

    def to_json(self) -> dict[str, float | str | None]:
        """Return a mapping that strict JSON can hold and ``admit`` reads back to an equal row.

        >>> admit({"loss": 0.5, "grad_norm": float("nan"), "reward": None}).to_json()
        {'loss': 0.5, 'grad_norm': 'NaN', 'reward': None}
        """
        return {
            **self.values,
            **{key: non_finite_word(value) for key, value in self.non_finite.items()},
            **dict.fromkeys(sorted(self.missing)),
            **self.texts,
        }


def admit(logs: Mapping[Any, Any]) -> Row:
    """Sort the values of one logged row; never raises for any content.

    Numbers, booleans and scalars of numpy or torch become floats; nested mappings become keys
    joined by ``/``; everything else is kept as text.

    >>> row = admit({"a": True, "b": {"c": 2}, "d": float("inf"), "e": "note"})
    >>> dict(row.values), dict(row.non_finite), dict(row.texts)
    ({'a': 1.0, 'b/c': 2.0}, {'d': inf}, {'e': 'note'})
    """
    plain = _all_plain(logs)
    if plain is not None:
        return Row(plain, {}, _NOTHING_MISSING, {})
    values: dict[str, float] = {}
    non_finite: dict[str, float] = {}
    missing: set[str] = set()
    texts: dict[str, str] = {}
    # "a/b" and b nested in a are one name, and a name has one value: the last.
    for key, value in dict(_flatten(logs, "", 0)).items():
        if value is None:
            missing.add(key)
            continue
        number = _number(value)
        if number is None:
            texts[key] = _text(value)
        elif math.isfinite(number):
            values[key] = number
        else:
            # Always the same NaN object, so that rows that hold NaN can be compared.
            non_finite[key] = _NON_FINITE_WORDS[non_finite_word(number)]
    return Row(values, non_finite, frozenset(missing), texts)


def _all_plain(logs: Mapping[Any, Any]) -> dict[str, float] | None:
    """Return the row as it is when it holds finite floats only, as most rows do, else None.

    Costs a tenth of looking at every value in the general way.
    """
    values: dict[str, float] = {}
    for key, value in logs.items():
        # x - x is 0 for finite numbers and NaN for all others.
        if type(value) is not float or value - value != 0.0 or type(key) is not str:
            return None
        if not key.isascii() or len(key) > _MAX_TEXT:
            return None
        values[key] = value
    return values


def _flatten(logs: Mapping[Any, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in logs.items():
        name = _text(prefix + _text(key))
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            yield from _flatten(value, f"{name}/", depth + 1)
        else:
            yield name, value


def _number(value: Any) -> float | None:
    """Return the value as a float, or None if it is no single number."""
    if isinstance(value, str):
        return _NON_FINITE_WORDS.get(value)
    try:
        # Only what says that it is a number is asked for it: other objects may raise anything.
        if hasattr(value, "item"):
            # A scalar of numpy or torch; float() warns about one that requires a gradient.
            value = value.item()
        return float(value) if isinstance(value, (Decimal, Real)) else None
    except OverflowError:
        # An integer beyond the range of floats.
        return math.inf if value > 0 else -math.inf
    except _NO_NUMBER:
        return None


def _text(value: Any) -> str:
    """Return the text that the metrics file keeps of a value that is no number."""
    text = _name(value)
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dict, float, int, list, tuple, NoneType)):
        # Unlike repr this runs no code of the elements' own classes, which may raise anything.
        with contextlib.suppress(orjson.JSONEncodeError):
            text = orjson.dumps(value, default=_name, option=orjson.OPT_NON_STR_KEYS).decode()
    # orjson refuses lone surrogates; the metrics file must hold every text.
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def _name(value: object) -> str:
    return f"<{type(value).__name__}>"


def non_finite_word(number: float) -> str:
    """Return how the files, which are strict JSON, write a NaN or an infinity.

    >>> non_finite_word(float("-inf"))
    '-Infinity'
    """
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
