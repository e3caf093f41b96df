"""Reads exports of Langfuse: a trace with its observations, or observations alone.

An observation holds what a framework logged, in that framework's own shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.message_parts import result_text
from post_training_toolkit.agents.readers.openinference import spread_messages
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    from_json,
    read_call_arguments,
)
from post_training_toolkit.agents.readers.provider_payload import Payload, read_payload
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span import Span, SpanKind, ToolRun, Trace
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.span_tree import read_trace
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat
from post_training_toolkit.agents.readers.trace_groups import TraceGroup, trace_groups

_KINDS = {
    "GENERATION": SpanKind.MODEL,
    "TOOL": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
}
_ATTRIBUTED_KINDS = {
    "TOOL": SpanKind.TOOL,
    "execute_tool": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
    "invoke_agent": SpanKind.AGENT,
}
_TRACE_FIELDS = ("name", "sessionId", "userId", "tags", "environment", "release", "version")
# What of Langfuse's own fields marks an observation or a trace as one.
_OBSERVATION = {"traceId", "type", "startTime"}


def recognises(sample: Sample) -> bool:
    """Whether a file holds observations of Langfuse."""
    return any(
        _is_observation(observation)
        for record in sample.records
        if isinstance(record, Mapping)
        for observation in (record, *_listed(record)[:3])
    )


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of the traces in a file."""
    for group in trace_groups(file, _items):
        if isinstance(group, TraceProblem):
            yield group
        else:
            yield from read_trace(file, _trace(group))


FORMAT = TraceFormat(
    name="langfuse",
    title="Langfuse exports: traces with observations, or observations alone",
    recognises=recognises,
    read=read,
)


def read_observation(value: Mapping[str, Any]) -> Span:
    """Return an observation with its messages; ``problem`` says what could not be read."""
    metadata = from_json(value.get("metadata"))
    inside = metadata if isinstance(metadata, Mapping) else {}
    attributes = inside.get("attributes")
    attributes = attributes if isinstance(attributes, Mapping) else {}
    kind = _kind(value, attributes)
    asked = answered = Payload()
    problem = None
    try:
        if kind is not SpanKind.TOOL:
            asked = _payload(value.get("input"), Role.USER, kind)
            answered = _payload(value.get("output"), Role.ASSISTANT, kind)
            # Langfuse keeps the attributes of spans: where it holds Python's text of messages.
            spread = spread_messages(attributes, "llm.input_messages") if asked.plain else None
            asked = replace(asked, messages=spread, plain=False) if spread else asked
    except MessageError as error:
        problem = str(error)
    failed = value.get("level") == "ERROR"
    message = value.get("statusMessage")
    return Span(
        id=str(value.get("id")),
        parent=parent if isinstance(parent := value.get("parentObservationId"), str) else None,
        name=str(value.get("name") or ""),
        kind=kind,
        start=start if isinstance(start := value.get("startTime"), (str, float)) else 0.0,
        ended=value.get("endTime") is not None,
        input=asked.messages,
        output=answered.messages,
        tools=asked.tools or _tools(value, inside, attributes),
        model=model if isinstance(model := value.get("model"), str) else None,
        model_call=_model_call(value, attributes),
        error=(message if isinstance(message, str) and message else "error") if failed else None,
        tool=_tool_run(value, attributes, failed=failed) if kind is SpanKind.TOOL else None,
        plain=asked.plain or (answered.plain and not asked.messages),
        problem=problem,
    )


def _listed(record: Mapping[str, Any]) -> list[Any]:
    keys = ("observations", "data")
    found = next((record[key] for key in keys if isinstance(record.get(key), list)), None)
    return found or []


def _is_observation(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) >= _OBSERVATION


def _items(value: Any) -> Iterator[tuple[str, tuple[bool, Mapping[str, Any]]] | str]:
    """Yield the observations of a record with their traces, and the trace itself if there."""
    if not isinstance(value, Mapping):
        yield "no observation of Langfuse: it needs to be an object"
        return
    trace = value.get("trace", value if "observations" in value else None)
    trace_id = trace.get("id") if isinstance(trace, Mapping) else None
    listed = _listed(value) if "traceId" not in value else [value]
    if not listed:
        yield "no observations; a trace needs them beside it, and an observation a traceId"
        return
    for at, observation in enumerate(listed):
        if not isinstance(observation, Mapping) or not isinstance(observation.get("id"), str):
            yield f"observation {at}: no object with an id"
            continue
        of = observation.get("traceId") or trace_id
        if not isinstance(of, str):
            yield f"observation {observation['id']!r}: no traceId"
            continue
        yield of, (False, observation)
    if isinstance(trace_id, str) and isinstance(trace, Mapping):
        yield trace_id, (True, trace)


def _trace(group: TraceGroup[tuple[bool, Mapping[str, Any]]]) -> Trace:
    about = next((item for is_trace, item in group.items if is_trace), {})
    metadata = {field: about[field] for field in _TRACE_FIELDS if about.get(field)}
    scores = about.get("scores")
    return Trace(
        id=group.id,
        spans=tuple(read_observation(item) for is_trace, item in group.items if not is_trace),
        scores=_scores(scores) if isinstance(scores, list) else {},
        metadata=metadata,
        line=group.line,
    )


def _scores(scores: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for score in scores:
        if isinstance(score, Mapping) and isinstance(score.get("name"), str):
            text = score.get("stringValue")
            found[score["name"]] = text if isinstance(text, str) else score.get("value")
    return found


def _kind(value: Mapping[str, Any], attributes: Mapping[str, Any]) -> SpanKind:
    found = _KINDS.get(str(value.get("type")))
    if found is not None:
        return found
    paths = ("openinference.span.kind", "gen_ai.operation.name")
    logged = (_ATTRIBUTED_KINDS.get(str(look_up(attributes, path))) for path in paths)
    return next((kind for kind in logged if kind is not None), SpanKind.OTHER)


def _payload(value: Any, role: Role, kind: SpanKind) -> Payload:
    """Return the messages of a payload; what encloses a call may hold anything else."""
    if kind is SpanKind.MODEL:
        return read_payload(value, role)
    try:
        found = read_payload(value, role)
    except MessageError:
        return Payload()
    return Payload() if found.plain else found


def _model_call(value: Mapping[str, Any], attributes: Mapping[str, Any]) -> ModelCall:
    reasons = from_json(look_up(attributes, "gen_ai.response.finish_reasons"))
    reason = reasons[0] if isinstance(reasons, list) and reasons else reasons
    if not isinstance(reason, str):
        reason = look_up(attributes, "ai.response.finishReason")
    cost = number(value, "costDetails.total")
    return ModelCall(
        prompt_tokens=count(value, "usageDetails.input", "usage.input", "promptTokens"),
        completion_tokens=count(value, "usageDetails.output", "usage.output", "completionTokens"),
        # A model without a price costs 0 there, which says nothing.
        cost=cost
        if cost is not None
        else number(value, "totalCost", "calculatedTotalCost") or None,
        finish_reason=reason if isinstance(reason, str) else None,
    )


def _tool_run(value: Mapping[str, Any], attributes: Mapping[str, Any], *, failed: bool) -> ToolRun:
    output = value.get("output")
    text, structured, _ = result_text(from_json(output) if isinstance(output, str) else output)
    names = ("gen_ai.tool.name", "ai.toolCall.name", "tool.name")
    ids = ("gen_ai.tool.call.id", "ai.toolCall.id")
    name = next((found for path in names if (found := look_up(attributes, path))), None)
    call_id = next((found for path in ids if (found := look_up(attributes, path))), None)
    arguments = value.get("input")
    return ToolRun(
        name=str(name or value.get("name") or ""),
        call_id=call_id if isinstance(call_id, str) else None,
        arguments=None if arguments is None else read_call_arguments(arguments),
        result=text,
        structured=structured,
        failed=True if failed else None,
    )


def _tools(
    value: Mapping[str, Any], metadata: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[JsonObject, ...] | None:
    defined = value.get("toolDefinitions")
    if isinstance(defined, Mapping):  # name -> the definition's JSON text
        named = ((name, from_json(tool)) for name, tool in defined.items())
        defined = [{"name": name, **tool} for name, tool in named if isinstance(tool, Mapping)]
    places = (defined, metadata.get("tools"), look_up(attributes, "gen_ai.tool.definitions"))
    for place in map(from_json, places):
        if isinstance(place, list) and (found := parse_tools([from_json(tool) for tool in place])):
            return found
    offered = from_json(attributes.get("model_request_parameters"))
    if not isinstance(offered, Mapping):
        return None
    keys = ("function_tools", "output_tools")
    listed = [tool for key in keys if isinstance(offered.get(key), list) for tool in offered[key]]
    return parse_tools(listed) or None
