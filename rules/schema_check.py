"""Turns JSON Schema violations into located sentences that say what would be right."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.suggestion import did_you_mean

# Where a mapping has more unknown keys than this, it is something else altogether.
_HINTS = 50
_TYPE_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping of keys to values",
    "string": "text",
}


def _is_integer(_: object, value: object) -> bool:
    # JSON Schema takes 20.0 for a whole number; windows and counts are counted with Python's int.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    # JSON has no NaN, which no bound of a schema would keep out.
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def check_schema(document: Document, schema: dict[str, Any]) -> list[tuple[Path, Problem]]:
    """Return a problem, with its path, for every place where the document breaks the schema."""
    validator = _Validator(schema)
    return [
        (path, problem)
        for error in validator.iter_errors(document.data)
        for path in [tuple(error.absolute_path)]
        for problem in _describe(document, path, error)
    ]


def _describe(
    document: Document, path: Path, error: jsonschema.ValidationError
) -> Iterator[Problem]:
    # The library's types allow for errors that carry no schema; these come from one.
    expected: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    known: Mapping[str, Any] = schema.get("properties", {})
    match error.validator:
        case "additionalProperties":
            for number, key in enumerate(key for key in instance if key not in known):
                hint = did_you_mean(key, known) if number < _HINTS else ""
                yield document.problem((*path, key), f"unknown key {key!r}{hint}", at_key=True)
        case "required":
            # Each missing key is an error of its own, which names the key only in its message.
            missing = next(key for key in expected if error.message.startswith(repr(key)))
            hint = known.get(missing, {}).get("description")
            message = f"key {missing!r} is missing"
            yield document.problem(path, f"{message}: {hint}" if hint else message)
        case "enum":
            what = f"{_name(path)} cannot be {_shown(instance)}"
            yield document.problem(path, what + did_you_mean(instance, map(str, expected)))
        case "const":
            yield document.problem(path, f"{_name(path)} must be {expected!r}")
        case "type":
            names = [expected] if isinstance(expected, str) else expected
            wanted = " or ".join(_TYPE_WORDS[name] for name in names)
            message = f"{_name(path)} must be {wanted}, not {_shown(instance)}"
            if isinstance(instance, float) and not math.isfinite(instance):
                message = "a number must be finite"
            yield document.problem(path, message)
        case "pattern":
            message = f"{_name(path)} cannot be {_shown(instance)}; it must match {expected}"
            yield document.problem(path, message)
        case _:
            yield document.problem(path, f"{_name(path)}: {error.message}")


def _shown(instance: object) -> str:
    match instance:
        case None:
            return "empty"
        case dict():
            return "a mapping of keys to values"
        case list():
            return "a list"
        case _:
            return reprlib.repr(instance)


def _name(path: Path) -> str:
    """Name the innermost key of a path, as the user wrote it."""
    for depth in range(len(path) - 1, -1, -1):
        if isinstance(path[depth], str):
            item = "an item of " if depth < len(path) - 1 else ""
            return f"{item}{path[depth]!r}"
    return "a rule file"
