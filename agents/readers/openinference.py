"""Reads spans of the OpenInference conventions, which Phoenix and many frameworks write.

The messages of a call are spread over ``llm.input_messages.0.message.role`` and the like. See
https://arize-ai.github.io/openinference/spec/semantic_conventions.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.message_parts import result_text
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    from_json,
    read_call_arguments,
    read_messages,
)
from post_training_toolkit.agents.readers.raw_span import RawSpan, raw_spans
from post_training_toolkit.agents.readers.span import Span, SpanKind, ToolRun
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample

_KINDS = {"LLM": SpanKind.MODEL, "TOOL": SpanKind.TOOL, "AGENT": SpanKind.AGENT}


def recognises(sample: Sample) -> bool:
    """Whether a file holds spans of OpenInference."""
    return any(
        isinstance(span, RawSpan) and is_openinference(span)
        for record in sample.records
        for span in raw_spans(record)
    )


def is_openinference(raw: RawSpan) -> bool:
    """Whether a span says its kind, or its messages, as OpenInference does."""
    paths = ("openinference.span.kind", "llm.input_messages", "llm.output_messages")
    return any(look_up(raw.attributes, path) is not None for path in paths)


def read_openinference_span(raw: RawSpan) -> Span:
    """Return a span with its messages; ``problem`` says what of it could not be read."""
    attributes = raw.attributes
    kind = _KINDS.get(
        str(look_up(attributes, "openinference.span.kind")).upper(),
        SpanKind.MODEL if look_up(attributes, "llm.input_messages") else SpanKind.OTHER,
    )
    asked: Sequence[Message] = ()
    answered: Sequence[Message] = ()
    problem = None
    try:
        if kind is not SpanKind.TOOL:
            asked = _messages(attributes, "llm.input_messages", "input.value")
            answered = _messages(attributes, "llm.output_messages", "output.value")
    except MessageError as error:
        problem = str(error)
    return Span(
        id=raw.id,
        parent=raw.parent,
        name=raw.name,
        kind=kind,
        start=raw.start,
        ended=raw.ended,
        input=tuple(asked),
        output=tuple(answered),
        tools=_tools(attributes),
        model=_text(attributes, "llm.model_name"),
        model_call=ModelCall(
            prompt_tokens=count(attributes, "llm.token_count.prompt"),
            completion_tokens=count(attributes, "llm.token_count.completion"),
            cost=number(attributes, "llm.cost.total"),
            finish_reason=_text(attributes, "llm.finish_reason"),
        ),
        error=raw.error,
        tool=_tool_run(raw) if kind is SpanKind.TOOL else None,
        problem=problem,
    )


def spread_messages(attributes: Mapping[str, Any], path: str) -> tuple[Message, ...] | None:
    """Return the messages of an attribute, None where it is not there."""
    logged = from_json(look_up(attributes, path))
    if logged is None:
        return None
    if not isinstance(logged, list):
        raise MessageError(f"{path} is a list of messages")
    return read_messages([each for each in logged if each])


def _messages(attributes: Mapping[str, Any], path: str, raw_path: str) -> Sequence[Message]:
    """Return the messages of an attribute, else those of the provider's own request or answer."""
    if (found := spread_messages(attributes, path)) is not None:
        return found
    # What encloses calls has any shape there; only what is clearly messages is read.
    whole = from_json(look_up(attributes, raw_path))
    listed = whole.get("messages") if isinstance(whole, Mapping) else whole
    if not isinstance(listed, list):
        listed = [whole]
    if not all(isinstance(each, Mapping) and "role" in each for each in listed):
        return ()
    try:
        return read_messages(listed)
    except MessageError:
        return ()


def _tool_run(raw: RawSpan) -> ToolRun:
    attributes = raw.attributes
    text, structured, _ = result_text(look_up(attributes, "output.value"))
    arguments = look_up(attributes, "input.value")
    if arguments is None:
        arguments = look_up(attributes, "tool.parameters")
    return ToolRun(
        name=_text(attributes, "tool.name") or raw.name,
        call_id=_text(attributes, "tool_call.id", "tool.id"),
        arguments=None if arguments is None else read_call_arguments(arguments),
        result=text if text is not None else raw.error,
        structured=structured,
        failed=True if raw.error is not None else (False if raw.succeeded else None),
    )


def _tools(attributes: Mapping[str, Any]) -> tuple[JsonObject, ...] | None:
    listed = look_up(attributes, "llm.tools")
    if not isinstance(listed, list):
        return None
    schemas = []
    for each in listed:
        tool = each.get("tool", each) if isinstance(each, Mapping) else each
        schema = tool.get("json_schema", tool) if isinstance(tool, Mapping) else tool
        schemas.append(from_json(schema))
    return parse_tools(schemas) or None


def _text(attributes: Mapping[str, Any], *paths: str) -> str | None:
    found = (look_up(attributes, path) for path in paths)
    return next((value for value in found if isinstance(value, str) and value), None)
