"""Turns what providers put into content, arguments and tool definitions into one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.engine.readers.json_text import parse_json

_TEXT_KINDS = ("text", "input_text", "output_text", "refusal")


def as_text(value: Any) -> str:
    """Return a value as text: text as it is, anything else as compact JSON.

    >>> as_text("done"), as_text({"a": [1, None]}), as_text(3)
    ('done', '{"a":[1,null]}', '3')
    """
    if isinstance(value, str):
        return value
    return json_bytes(value).decode()


def flatten_content(content: Any) -> tuple[str | None, tuple[str, ...]]:
    r"""Return the text of a content, and the kinds of its parts that are no text.

    A content is None, text, or a list of parts ``{"type": ..., "text": ...}``; text models render a
    list of parts as nothing at all, so the texts are joined by newlines.

    >>> flatten_content([{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text",
    ...                   "text": "b"}])
    ('a\nb', ('image_url',))
    """
    if content is None or isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        return as_text(content), ()
    texts: list[str] = []
    left_out: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and isinstance(text := part_text(part), str):
            texts.append(text)
        else:
            left_out.append(str(part.get("type", "?")) if isinstance(part, Mapping) else "?")
    return ("\n".join(texts) if texts else None), tuple(left_out)


def part_text(part: Mapping[str, Any]) -> str | None:
    """Return the text of one part of a content, None for a part that is no text."""
    kind = part.get("type", "text")
    if kind not in _TEXT_KINDS:
        return None
    text = part.get("text", part.get("refusal"))
    return text if isinstance(text, str) else None


def parse_arguments(arguments: Any) -> tuple[JsonObject, str | None]:
    """Return arguments as a dict, and their text where they are no JSON object.

    >>> parse_arguments('{"city": "Paris"}'), parse_arguments("{'city'"), parse_arguments("")
    (({'city': 'Paris'}, None), ({}, "{'city'"), ({}, None))
    """
    if arguments is None or arguments == "":
        return {}, None
    if isinstance(arguments, Mapping):
        return dict(arguments), None
    if isinstance(arguments, str):
        try:
            parsed = parse_json(arguments)
        except ValueError:
            return {}, arguments
        # Some providers encode twice.
        if isinstance(parsed, dict):
            return parsed, None
        if isinstance(parsed, str) and parsed != arguments:
            inner, unparsed = parse_arguments(parsed)
            return (inner, None) if unparsed is None else ({}, arguments)
        return ({}, None) if parsed is None else ({}, arguments)
    return {}, as_text(arguments)


def parse_tools(tools: Any) -> tuple[JsonObject, ...] | None:
    """Return tool definitions in the form of OpenAI's chat API, None where there are none.

    Takes a list of them or its JSON text; with or without the ``function`` around each, and
    Anthropic's ``input_schema`` for ``parameters``. What is no definition is left out.

    >>> parse_tools('[{"name": "add", "description": "Adds", "input_schema": {"type": "object"}}]')
    ({'type': 'function', 'function': {'name': 'add', 'description': 'Adds', \
'parameters': {'type': 'object'}}},)
    """
    if isinstance(tools, str):
        try:
            tools = parse_json(tools)
        except ValueError:
            return None
    if not isinstance(tools, Iterable) or isinstance(tools, Mapping):
        return None
    return tuple(found for tool in tools if (found := _tool(tool)) is not None)


def _tool(tool: Any) -> JsonObject | None:
    if not isinstance(tool, Mapping):
        return None
    function = tool.get("function", tool)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        return None
    parameters = next(
        (
            function[key]
            for key in ("parameters", "input_schema", "inputSchema", "parameters_json_schema")
            if isinstance(function.get(key), Mapping)
        ),
        {"type": "object", "properties": {}},
    )
    definition: JsonObject = {"name": function["name"]}
    if isinstance(function.get("description"), str):
        definition["description"] = function["description"]
    definition["parameters"] = dict(parameters)
    return {"type": "function", "function": definition}
