"""Writes values as JSON, also those that orjson refuses."""

from __future__ import annotations

import json
from typing import Any

import orjson


def json_bytes(value: Any, *, sort_keys: bool = False, indent: bool = False) -> bytes:
    """Return compact JSON, with keys in order or two spaces of indent where that is wanted.

    orjson knows no whole numbers of more than 64 bits and no half of a surrogate pair; where there
    is one, Python's own writer takes over, which escapes all that is not ASCII.

    >>> json_bytes({"b": 2**70, "a": 1}, sort_keys=True)
    b'{"a":1,"b":1180591620717411303424}'
    """
    options = (orjson.OPT_SORT_KEYS if sort_keys else 0) | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        return orjson.dumps(value, option=options)
    except orjson.JSONEncodeError:
        separators = None if indent else (",", ":")
        return json.dumps(
            value, sort_keys=sort_keys, indent=2 if indent else None, separators=separators
        ).encode()
