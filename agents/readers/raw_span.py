"""Finds the spans in a file, whichever exporter wrote it, and groups them by trace.

Known are OTLP as JSON (``resourceSpans``), the objects that OpenTelemetry's SDK prints
(``context``, ``parent_id``), flat ones, and the rows of Phoenix (``context.trace_id``,
``attributes.llm...``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span_attributes import otlp_attributes
from post_training_toolkit.agents.readers.trace_groups import TraceGroup, trace_groups

_WRAPPERS = ("spans", "data")


@dataclass(frozen=True, slots=True)
class RawSpan:
    """One span as it was logged, with names that do not depend on the exporter."""

    trace: str
    id: str
    parent: str | None
    name: str
    start: str | float
    ended: bool
    error: str | None
    succeeded: bool
    attributes: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]


def raw_spans(value: Any) -> Iterator[RawSpan | str]:
    """Yield the spans of a record; what is no span comes as a text that says why."""
    found = False
    for span in _span_values(value):
        found = True
        yield _raw_span(span)
    if not found and not _is_empty_export(value):
        yield "no span: it needs a trace id and a span id"


def raw_traces(file: TraceFile) -> Iterator[TraceGroup[RawSpan] | TraceProblem]:
    """Yield the spans of a file by their traces, each as soon as its last span is read."""
    return trace_groups(file, _items)


def _items(value: Any) -> Iterator[tuple[str, RawSpan] | str]:
    for span in raw_spans(value):
        yield span if isinstance(span, str) else (span.trace, span)


def _is_empty_export(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(value.get(key), list) for key in ("resourceSpans", "resource_spans", *_WRAPPERS)
    )


def _span_values(value: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        return
    resources = value.get("resourceSpans", value.get("resource_spans"))
    if isinstance(resources, list):
        for resource in _objects(resources):
            keys = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
            for scope in _objects(_first(resource, *keys)):
                yield from _objects(scope.get("spans"))
        return
    for key in _WRAPPERS:
        if isinstance(value.get(key), list) and "attributes" not in value:
            for inner in _objects(value[key]):
                yield from _span_values(inner)
            return
    if _ids(value) is not None:
        yield value


def _objects(values: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, Mapping))


def _ids(value: Mapping[str, Any]) -> tuple[str, str] | None:
    context = value.get("context")
    inside = context if isinstance(context, Mapping) else value
    trace = _first(inside, "trace_id", "traceId", "context.trace_id")
    span = _first(inside, "span_id", "spanId", "context.span_id")
    has_attributes = any(key.startswith("attributes") for key in value)
    if not (isinstance(trace, str) and isinstance(span, str) and trace and span):
        return None
    return (trace, span) if has_attributes else None


def _raw_span(value: Mapping[str, Any]) -> RawSpan | str:
    ids = _ids(value)
    if ids is None:
        return "a span without a trace id, a span id and attributes"
    attributes = _attributes(value)
    if isinstance(attributes, str):
        return f"span {ids[1]!r}: {attributes}"
    status, message = _status(value)
    end = _first(value, "endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")
    return RawSpan(
        trace=ids[0],
        id=ids[1],
        parent=_parent(value),
        name=str(value.get("name") or ""),
        start=_start(value),
        ended=end not in (None, "", 0, "0"),
        error=(message or "error") if status == "ERROR" else None,
        succeeded=status == "OK",
        attributes=attributes,
        events=tuple(_events(value)),
    )


def _parent(value: Mapping[str, Any]) -> str | None:
    parent = _first(value, "parentSpanId", "parent_span_id", "parent_id", "parentId")
    return parent if isinstance(parent, str) and parent.strip("0") else None


def _start(value: Mapping[str, Any]) -> str | float:
    start = _first(value, "startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime")
    if isinstance(start, str) and start.isdecimal():
        return float(start)
    if isinstance(start, (int, float)):
        return float(start)
    return start if isinstance(start, str) else 0.0


def _attributes(value: Mapping[str, Any]) -> dict[str, Any] | str:
    logged = value.get("attributes")
    if isinstance(logged, list):
        return otlp_attributes(logged)
    if isinstance(logged, Mapping):
        kind = value.get("span_kind")  # Phoenix keeps it apart
        return {**({"openinference.span.kind": kind} if kind else {}), **logged}
    if logged is not None:
        return "attributes are an object or a list"
    kind = value.get("span_kind")
    columns = {
        key.removeprefix("attributes."): column
        for key, column in value.items()
        if key.startswith("attributes.") and column is not None
    }
    return {**({"openinference.span.kind": kind} if kind else {}), **columns}


def _status(value: Mapping[str, Any]) -> tuple[str, str | None]:
    status = value.get("status", value.get("status_code"))
    message = value.get("status_message")
    if isinstance(status, Mapping):
        message = _first(status, "message", "description")
        status = _first(status, "code", "status_code")
    word = str(status).upper().removeprefix("STATUS_CODE_").removeprefix("STATUSCODE.")
    word = {"1": "OK", "2": "ERROR"}.get(word, word)
    return word, message if isinstance(message, str) and message else None


def _events(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for event in _objects(value.get("events")):
        attributes = event.get("attributes")
        if isinstance(attributes, list):
            attributes = otlp_attributes(attributes)
        yield {
            "name": event.get("name"),
            "attributes": attributes if isinstance(attributes, Mapping) else {},
        }


def _first(value: Mapping[str, Any], *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)
