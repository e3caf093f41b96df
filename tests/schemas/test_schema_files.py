"""Every schema is one, in full: no mistyped keyword, no reference into nothing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from post_training_toolkit.schemas import SCHEMA_NAMES, load_schema

every_schema = pytest.mark.parametrize("name", SCHEMA_NAMES)

# A keyword that is not known is silently ignored by validators.
KEYWORDS = {
    *("$schema", "$ref", "$defs", "title", "description", "type", "enum", "const"),
    *("properties", "required", "additionalProperties", "minProperties"),
    *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("oneOf", "anyOf", "if", "then", "else"),
}
MAPPINGS_OF_SCHEMAS = {"properties", "$defs"}
LISTS_OF_SCHEMAS = {"oneOf", "anyOf"}
SCHEMAS = {"items", "additionalProperties", "if", "then", "else"}


def parts_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and every schema inside it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword, value in schema.items():
        if keyword in MAPPINGS_OF_SCHEMAS:
            for each in value.values():
                yield from parts_of(each)
        elif keyword in LISTS_OF_SCHEMAS:
            for each in value:
                yield from parts_of(each)
        elif keyword in SCHEMAS:
            yield from parts_of(value)


def test_the_names_are_the_files() -> None:
    folder = files("post_training_toolkit.schemas")
    found = {each.name for each in folder.iterdir() if each.name.endswith(".json")}
    assert found == {f"{name}.schema.json" for name in SCHEMA_NAMES}


@every_schema
def test_each_file_is_a_schema_of_the_draft_it_names(name: str) -> None:
    schema = load_schema(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


@every_schema
def test_each_schema_says_what_it_is_and_in_which_version(name: str) -> None:
    schema = load_schema(name)
    assert schema["title"].endswith(", version 1")
    assert schema["description"].endswith(".")


@every_schema
def test_no_keyword_is_mistyped(name: str) -> None:
    for part in parts_of(load_schema(name)):
        assert set(part) <= KEYWORDS


@every_schema
def test_every_reference_leads_somewhere_and_every_definition_is_used(name: str) -> None:
    schema = load_schema(name)
    used = {part["$ref"] for part in parts_of(schema) if "$ref" in part}
    assert used == {f"#/$defs/{definition}" for definition in schema.get("$defs", {})}


@every_schema
def test_every_required_key_is_described(name: str) -> None:
    for part in parts_of(load_schema(name)):
        assert set(part.get("required", ())) <= set(part.get("properties", ()))


def test_an_unknown_name_is_a_key_error_that_lists_the_known_ones() -> None:
    with pytest.raises(KeyError) as raised:
        load_schema("rulez")
    assert raised.value.args[0].startswith("no schema named 'rulez'; there are ")
    assert all(name in raised.value.args[0] for name in SCHEMA_NAMES)


@pytest.mark.parametrize("name", ["", "../rules/packs/dpo", "rules.schema.json"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(KeyError):
        load_schema(name)
