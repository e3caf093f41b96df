"""Checks calls against the schemas of the tools on offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import create
from referencing import Registry
from referencing.exceptions import Unresolvable

from post_training_toolkit.agents.message import JsonObject, ToolCall
from post_training_toolkit.agents.tool_steps import ToolStep

# A pattern of a trace might take for ever to match.
_Validator = create(
    meta_schema=Draft202012Validator.META_SCHEMA,
    validators={
        word: check
        for word, check in Draft202012Validator.VALIDATORS.items()
        if word not in {"pattern", "patternProperties", "additionalProperties"}
    },
    type_checker=Draft202012Validator.TYPE_CHECKER,
)
_MOST_CALLS = 20_000
_MOST_OFFERS = 200


@dataclass(frozen=True, slots=True)
class _Tool:
    """What the arguments of a tool are held against; ``key`` is the text of its schema."""

    key: bytes
    schema: JsonObject
    validator: Validator | None


class CallFault(StrEnum):
    """What is wrong with a call."""

    UNKNOWN_TOOL = "unknown"
    MISSING_ARGUMENT = "missing_arguments"
    EXTRA_ARGUMENT = "extra_arguments"
    MISTYPED_ARGUMENT = "mistyped_arguments"


class ArgumentCheck:
    """Finds the faults of calls; remembers what it has seen, since episodes share tools and calls.

    ``broken`` are the names of tools whose schema is none, so that their arguments are not judged.

    >>> parameters = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    >>> tools = ({"type": "function", "function": {"name": "take", "parameters": parameters}},)
    >>> check = ArgumentCheck()
    >>> for arguments in ({"n": 1}, {"n": "one"}, {"m": 1}):
    ...     call = ToolCall("take", arguments)
    ...     [str(fault) for fault in check.faults(tools, ToolStep(call, 0, 0, str(arguments)))]
    []
    ['mistyped_arguments']
    ['missing_arguments', 'extra_arguments']
    """

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self._tools: dict[bytes, _Tool] = {}
        self._offers: dict[int, tuple[Sequence[JsonObject], dict[str, _Tool]]] = {}
        self._known: dict[tuple[bytes, str], tuple[CallFault, ...]] = {}

    def faults(self, tools: Sequence[JsonObject], step: ToolStep) -> tuple[CallFault, ...]:
        """Return the faults of a call, each kind once."""
        tool = self._offer(tools).get(step.call.name)
        if tool is None:
            return (CallFault.UNKNOWN_TOOL,)
        if tool.validator is None or step.call.unparsed is not None:
            return ()
        key = (tool.key, step.key)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_CALLS:
                self._known.clear()
            faults = self._judge(step.call, tool.schema, tool.validator)
            found = self._known[key] = tuple(dict.fromkeys(faults))
        return found

    def _offer(self, tools: Sequence[JsonObject]) -> dict[str, _Tool]:
        # The tools are kept, so that no other object can come to have their identity.
        known = self._offers.get(id(tools))
        if known is None:
            if len(self._offers) >= _MOST_OFFERS:
                self._offers.clear()
            by_name = {tool["function"]["name"]: self._tool(tool["function"]) for tool in tools}
            known = self._offers[id(tools)] = (tools, by_name)
        return known[1]

    def _tool(self, function: JsonObject) -> _Tool:
        schema = function.get("parameters")
        if not isinstance(schema, dict):
            schema = {}
        key = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
        if key not in self._tools:
            validator = None
            try:
                _Validator.check_schema(schema)
                validator = _Validator(schema, registry=Registry())
            except (SchemaError, RecursionError):
                self.broken.add(function["name"])
            self._tools[key] = _Tool(key, schema, validator)
        return self._tools[key]

    def _judge(
        self, call: ToolCall, schema: JsonObject, validator: Validator
    ) -> Iterator[CallFault]:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        # Models write null for an optional argument that they leave out.
        given = {
            name: value
            for name, value in call.arguments.items()
            if value is not None or name in required
        }
        try:
            errors = list(validator.iter_errors(given))
        except (Unresolvable, RecursionError):
            self.broken.add(call.name)
            return
        for error in errors:
            missing = error.validator == "required" and not error.absolute_path
            yield CallFault.MISSING_ARGUMENT if missing else CallFault.MISTYPED_ARGUMENT
        if properties and not _is_open(schema) and not given.keys() <= properties.keys():
            yield CallFault.EXTRA_ARGUMENT


def _is_open(schema: JsonObject) -> bool:
    """Whether arguments may be allowed that ``properties`` does not name."""
    words = ("patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if")
    return bool(schema.get("additionalProperties")) or any(word in schema for word in words)
