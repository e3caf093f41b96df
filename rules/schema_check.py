"""Turns JSON Schema violations into located sentences that say what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema

from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.suggestion import did_you_mean

_TYPE_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping of keys to values",
    "string": "text",
}


def check_schema(document: Document, schema: dict[str, Any]) -> list[tuple[Path, Problem]]:
    """Return a problem, with its path, for every place where the document breaks the schema."""
    validator = jsonschema.Draft202012Validator(schema)
    return [
        (path, problem)
        for error in validator.iter_errors(document.data)
        for path in [tuple(error.absolute_path)]
        for problem in _describe(document, path, error)
    ]


def _describe(
    document: Document, path: Path, error: jsonschema.ValidationError
) -> Iterator[Problem]:
    expected = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for key in error.instance:
                if key not in known:
                    message = f"unknown key {key!r}{did_you_mean(key, known)}"
                    yield document.problem((*path, key), message, at_key=True)
        case "required":
            missing = _missing_key(error)
            yield document.problem(path, f"key {missing!r} is missing{_hint(error, missing)}")
        case "enum":
            what = f"{_name(path)} cannot be {error.instance!r}"
            yield document.problem(path, what + did_you_mean(error.instance, map(str, expected)))
        case "const":
            yield document.problem(path, f"{_name(path)} must be {expected!r}")
        case "type":
            yield document.problem(path, _wrong_type(path, error))
        case "pattern":
            message = f"{_name(path)} cannot be {error.instance!r}; it must match {expected}"
            yield document.problem(path, message)
        case _:
            yield document.problem(path, f"{_name(path)}: {error.message}")


def _missing_key(error: jsonschema.ValidationError) -> str:
    # jsonschema reports each missing key as its own error and names it only in the message.
    return next(key for key in error.validator_value if error.message.startswith(repr(key)))


def _hint(error: jsonschema.ValidationError, key: str) -> str:
    description = error.schema.get("properties", {}).get(key, {}).get("description")
    return f": {description}" if description else ""


def _wrong_type(path: Path, error: jsonschema.ValidationError) -> str:
    types = error.validator_value
    names = [types] if isinstance(types, str) else types
    wanted = " or ".join(_TYPE_WORDS[name] for name in names)
    return f"{_name(path)} must be {wanted}, not {_shown(error.instance)}"


def _shown(instance: object) -> str:
    match instance:
        case None:
            return "empty"
        case dict():
            return "a mapping of keys to values"
        case list():
            return "a list"
        case _:
            return repr(instance)


def _name(path: Path) -> str:
    """Name the innermost key of a path, as the user wrote it."""
    for depth in range(len(path) - 1, -1, -1):
        if isinstance(path[depth], str):
            item = "an item of " if depth < len(path) - 1 else ""
            return f"{item}{path[depth]!r}"
    return "a rule file"
