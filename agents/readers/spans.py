"""The formats of spans: files of one may hold spans of the other, so one reader reads both."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers import openinference, otel_genai
from post_training_toolkit.agents.readers.raw_span import RawSpan, raw_traces
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span import Trace
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.span_tree import read_trace
from post_training_toolkit.agents.readers.trace_format import TraceFormat

_SESSIONS = ("gen_ai.conversation.id", "session.id")


def read_span_file(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of a file of spans; each conversation in a trace is one."""
    for found in raw_traces(file):
        if isinstance(found, TraceProblem):
            yield found
            continue
        spans = tuple(
            openinference.read_openinference_span(raw)
            if openinference.is_openinference(raw)
            else otel_genai.read_genai_span(raw)
            for raw in found.items
        )
        metadata = {"session": session} if (session := _session(found.items)) else {}
        scores = otel_genai.genai_scores(found.items)
        yield from read_trace(file, Trace(found.id, spans, scores, metadata, found.line))


def _session(spans: list[RawSpan]) -> str | None:
    found = (look_up(span.attributes, path) for path in _SESSIONS for span in spans)
    return next((value for value in found if isinstance(value, str) and value), None)


OPENINFERENCE = TraceFormat(
    name="openinference",
    title="OpenInference spans (Phoenix), as OTLP JSON, SDK objects or Phoenix rows",
    recognises=openinference.recognises,
    read=read_span_file,
)
OTEL_GENAI = TraceFormat(
    name="otel-genai",
    title="OpenTelemetry GenAI spans, as OTLP JSON or SDK objects",
    recognises=otel_genai.recognises,
    read=read_span_file,
)
