"""Reads spans of OpenTelemetry's semantic conventions for generative AI.

The messages of a call are in ``gen_ai.input.messages`` and ``gen_ai.output.messages``; older
exporters wrote them as events, or spread over ``gen_ai.prompt.0.role`` and the like. See
https://opentelemetry.io/docs/specs/semconv/gen-ai/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.message_parts import MessageParts, result_text
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    from_json,
    read_call_arguments,
    read_message,
    read_messages,
)
from post_training_toolkit.agents.readers.raw_span import RawSpan, raw_spans
from post_training_toolkit.agents.readers.span import Span, SpanKind, ToolRun
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample

_OPERATIONS = {
    "chat": SpanKind.MODEL,
    "text_completion": SpanKind.MODEL,
    "generate_content": SpanKind.MODEL,
    "execute_tool": SpanKind.TOOL,
    "invoke_agent": SpanKind.AGENT,
    "invoke_workflow": SpanKind.AGENT,
    "create_agent": SpanKind.OTHER,
    "embeddings": SpanKind.OTHER,
    "retrieval": SpanKind.OTHER,
}
_SPOKEN = ("system", "user", "assistant", "tool")


def recognises(sample: Sample) -> bool:
    """Whether a file holds spans with attributes of ``gen_ai``, or none that say what they are."""
    return any(
        isinstance(span, RawSpan) and any(str(key).startswith("gen_ai") for key in span.attributes)
        for record in sample.records
        for span in raw_spans(record)
    )


def read_genai_span(raw: RawSpan) -> Span:
    """Return a span with its messages; ``problem`` says what of it could not be read."""
    attributes = raw.attributes
    kind = _kind(attributes)
    said: tuple[Sequence[Message], Sequence[Message]] = ((), ())
    problem = None
    try:
        if kind is not SpanKind.TOOL:
            said = _said(raw)
    except MessageError as error:
        problem = str(error)
    reasons = from_json(look_up(attributes, "gen_ai.response.finish_reasons"))
    return Span(
        id=raw.id,
        parent=raw.parent,
        name=raw.name,
        kind=kind,
        start=raw.start,
        ended=raw.ended,
        input=tuple(said[0]),
        output=tuple(said[1]),
        tools=_tools(attributes),
        model=_text(attributes, "gen_ai.response.model", "gen_ai.request.model"),
        model_call=ModelCall(
            prompt_tokens=count(
                attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"
            ),
            completion_tokens=count(
                attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"
            ),
            cost=number(attributes, "gen_ai.usage.cost", "operation.cost"),
            finish_reason=reasons[0]
            if isinstance(reasons, list) and reasons and isinstance(reasons[0], str)
            else None,
        ),
        error=raw.error,
        tool=_tool_run(raw) if kind is SpanKind.TOOL else None,
        problem=problem,
    )


def genai_scores(spans: Sequence[RawSpan]) -> dict[str, Any]:
    """Return the results of evaluations that spans carry as events, by their names."""
    scores: dict[str, Any] = {}
    for event in (event for span in spans for event in span.events):
        found = event["attributes"]
        if event["name"] == "gen_ai.evaluation.result" and isinstance(
            name := found.get("gen_ai.evaluation.name"), str
        ):
            value = found.get("gen_ai.evaluation.score.value")
            label = found.get("gen_ai.evaluation.score.label")
            scores[name] = label if value is None else value
    return scores


def count(attributes: Mapping[str, Any], *paths: str) -> int | None:
    """Return the first attribute that is a whole number, or the text of one."""
    found = number(attributes, *paths)
    return int(found) if found is not None and found == int(found) else None


def number(attributes: Mapping[str, Any], *paths: str) -> float | None:
    """Return the first attribute that is a finite number, or the text of one."""
    for path in paths:
        value = look_up(attributes, path)
        try:
            found = float(value) if isinstance(value, (int, float, str)) else None
        except (ValueError, OverflowError):
            continue
        if found is not None and abs(found) < float("inf"):
            return found
    return None


def _kind(attributes: Mapping[str, Any]) -> SpanKind:
    operation = look_up(attributes, "gen_ai.operation.name")
    if isinstance(operation, str) and operation in _OPERATIONS:
        return _OPERATIONS[operation]
    if look_up(attributes, "gen_ai.tool.name") is not None:
        return SpanKind.TOOL
    spoke = ("gen_ai.input.messages", "gen_ai.prompt", "gen_ai.output.messages")
    if operation is None and any(look_up(attributes, path) is not None for path in spoke):
        return SpanKind.MODEL
    is_call = look_up(attributes, "gen_ai.request.model") is not None
    is_agent = look_up(attributes, "gen_ai.agent.name") is not None
    if is_call and operation is None:
        return SpanKind.MODEL
    return SpanKind.AGENT if is_agent else SpanKind.OTHER


def _said(raw: RawSpan) -> tuple[Sequence[Message], Sequence[Message]]:
    """Return the messages before a call and the answer to it."""
    places: list[Mapping[str, Any]] = [raw.attributes]
    places += [event["attributes"] for event in raw.events]
    asked = _first(places, "gen_ai.input.messages", "gen_ai.prompt", "pydantic_ai.all_messages")
    answered = _first(places, "gen_ai.output.messages", "gen_ai.completion")
    instructions = _instructions(_first(places, "gen_ai.system_instructions"))
    before = [*instructions, *_messages(asked, "user")]
    if len(instructions) == 1 and before[1:2] == [instructions[0]]:
        before = before[1:]
    after = list(_messages(answered, "assistant"))
    if not asked and not answered:
        spoken, chosen = _events(raw)
        return [*before, *spoken], chosen
    return before, after


def _first(places: Sequence[Mapping[str, Any]], *paths: str) -> Any:
    found = (look_up(place, path) for path in paths for place in places)
    return next((value for value in found if value is not None), None)


def _messages(value: Any, role: str) -> Sequence[Message]:
    value = from_json(value)
    if value is None:
        return ()
    if isinstance(value, str):
        return read_messages([{"role": role, "content": value}])
    if isinstance(value, list):
        value = [{"role": role, **each} if isinstance(each, Mapping) else each for each in value]
    return read_messages(value)


def _instructions(value: Any) -> list[Message]:
    value = from_json(value)
    if value is None:
        return []
    parts = MessageParts()
    parts.add(value)
    return [Message(Role.SYSTEM, parts.text, left_out=tuple(parts.left_out))]


def _events(raw: RawSpan) -> tuple[list[Message], list[Message]]:
    """Return the messages of the older form, events of a span or a list of them as attribute."""
    logged: list[Mapping[str, Any]] = [*raw.events]
    listed = from_json(raw.attributes.get("events"))
    if isinstance(listed, list):
        logged += [
            {"name": each.get("event.name"), "attributes": each}
            for each in listed
            if isinstance(each, Mapping)
        ]
    before: list[Message] = []
    after: list[Message] = []
    for event in logged:
        for is_answer, message in _event_messages(event):
            (after if is_answer else before).append(message)
    return before, after


def _event_messages(event: Mapping[str, Any]) -> Iterator[tuple[bool, Message]]:
    name = str(event["name"])
    speaker = name.removeprefix("gen_ai.").removesuffix(".message")
    body = {key: from_json(value) for key, value in event["attributes"].items()}
    if isinstance(inner := body.get("gen_ai.event.content"), Mapping):
        body = {**body, **inner}
    if name == "gen_ai.choice":
        inner = body.get("message")
        body = (
            {**body, **inner}
            if isinstance(inner, Mapping)
            else {**body, "content": inner or body.get("content")}
        )
        body = {"role": "assistant", **body}
    elif name == f"gen_ai.{speaker}.message" and speaker in _SPOKEN:
        body = {"role": speaker, **body}
    else:
        return
    for message in read_message(body):
        yield name == "gen_ai.choice", message


def _tool_run(raw: RawSpan) -> ToolRun:
    attributes = raw.attributes
    logged = _first(
        [attributes],
        "gen_ai.tool.call.result",
        "tool_response",
        "output.value",
        "gen_ai.tool.output",
    )
    text, structured, _ = result_text(logged)
    arguments = _first([attributes], "gen_ai.tool.call.arguments", "tool_arguments", "input.value")
    return ToolRun(
        name=_text(attributes, "gen_ai.tool.name") or raw.name.removeprefix("execute_tool "),
        call_id=_text(attributes, "gen_ai.tool.call.id"),
        arguments=None if arguments is None else read_call_arguments(arguments),
        result=text if text is not None else raw.error,
        structured=structured,
        failed=True if raw.error is not None else (False if raw.succeeded else None),
    )


def _tools(attributes: Mapping[str, Any]) -> tuple[JsonObject, ...] | None:
    paths = ("gen_ai.tool.definitions", "gen_ai.request.tools")
    found = parse_tools(from_json(_first([attributes], *paths)))
    if found:
        return found
    offered = from_json(attributes.get("model_request_parameters"))  # Pydantic AI before 2026
    if not isinstance(offered, Mapping):
        return None
    keys = ("function_tools", "output_tools")
    listed = [tool for key in keys if isinstance(offered.get(key), list) for tool in offered[key]]
    return parse_tools(listed) or None


def _text(attributes: Mapping[str, Any], *paths: str) -> str | None:
    found = (look_up(attributes, path) for path in paths)
    return next((value for value in found if isinstance(value, str) and value), None)
