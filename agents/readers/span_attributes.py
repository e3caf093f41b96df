"""Looks attributes of spans up, however an exporter has nested or flattened them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SCALARS = ("stringValue", "boolValue", "doubleValue", "bytesValue")
# Flattened keys inside of lists: dots in other objects, such as arguments, belong to the keys.
_FLATTENED = ("message.", "message_content.", "tool_call.", "tool.")


def otlp_attributes(pairs: list[Any]) -> dict[str, Any]:
    """Return the attributes of OTLP's JSON as a dict; what is no pair is left out.

    >>> otlp_attributes([{"key": "n", "value": {"intValue": "3"}}])
    {'n': 3}
    """
    return {
        pair["key"]: _otlp_value(pair.get("value"))
        for pair in pairs
        if isinstance(pair, Mapping) and isinstance(pair.get("key"), str)
    }


def look_up(attributes: Mapping[str, Any], path: str) -> Any:
    """Return the attribute of a dotted path, nested where it is spread over several keys.

    >>> flat = {"llm.in.1.role": "user", "llm.in.0.role": "system"}
    >>> look_up(flat, "llm.in"), look_up({"llm": {"in": 3}}, "llm.in")
    ([{'role': 'system'}, {'role': 'user'}], 3)
    """
    if attributes.get(path) is not None:
        return _nested_lists(attributes[path])
    below = {
        key[len(path) + 1 :]: value
        for key, value in attributes.items()
        if isinstance(key, str) and key.startswith(f"{path}.") and value is not None
    }
    if below:
        return _nest(below)
    parts = path.split(".")
    for at in range(1, len(parts)):
        inner = attributes.get(".".join(parts[:at]))
        if (
            isinstance(inner, Mapping)
            and (found := look_up(inner, ".".join(parts[at:]))) is not None
        ):
            return found
    return None


def _nest(flat: Mapping[str, Any]) -> Any:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *heads, last = path.split(".")
        node = tree
        for head in heads:
            inner = node.setdefault(head, {})
            if not isinstance(inner, dict):
                inner = node[head] = {}
            node = inner
        node[last] = _nested_lists(value)
    return _with_lists(tree)


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_with_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _with_lists(inner) for key, inner in value.items()}


def _nested_lists(value: Any) -> Any:
    """Return a value in which the flattened messages of a list are nested."""
    if not isinstance(value, list):
        return value
    return [
        _nest(each)
        if isinstance(each, Mapping) and any(str(key).startswith(_FLATTENED) for key in each)
        else each
        for each in value
    ]


def _otlp_value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    for key in _SCALARS:
        if key in value:
            return value[key]
    if "intValue" in value:
        return _whole(value["intValue"])
    array = value.get("arrayValue")
    if isinstance(array, Mapping):
        values = array.get("values")
        return [_otlp_value(each) for each in values] if isinstance(values, list) else []
    pairs = value.get("kvlistValue")
    if isinstance(pairs, Mapping):
        values = pairs.get("values")
        return otlp_attributes(values) if isinstance(values, list) else {}
    return None


def _whole(value: Any) -> Any:
    try:
        return int(value)
    except (TypeError, ValueError):
        return value
