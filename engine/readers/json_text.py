"""Parses JSON as the tools of a training write it."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse_json(text: bytes | str) -> Any:
    """Return the parsed text; bare NaN and Infinity, as Python's json writes them, are read too.

    Raises ``ValueError`` for anything else, and where values are nested too deep to be read.

    >>> parse_json('{"loss": NaN}')
    {'loss': nan}
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("nested too deep") from None
