"""Reads runs of LangSmith: exported runs, and the batches by which its clients send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.managed_agent import is_event, read_events
from post_training_toolkit.agents.readers.message_parts import result_text
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    read_call_arguments,
)
from post_training_toolkit.agents.readers.provider_payload import Payload, read_payload
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span import Span, SpanKind, ToolRun, Trace
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.span_tree import read_trace
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat
from post_training_toolkit.agents.readers.trace_groups import TraceGroup, trace_groups

Run = dict[str, Any]

_KINDS = {
    "llm": SpanKind.MODEL,
    "chat_model": SpanKind.MODEL,
    "tool": SpanKind.TOOL,
}
_BATCHES = ("post", "patch", "runs")
# Where libraries put the tokens of a call; a run that was exported has them itself.
_PROMPT_TOKENS = (
    "prompt_tokens",
    "outputs.usage_metadata.input_tokens",
    "outputs.llm_output.token_usage.prompt_tokens",
    "outputs.usage.prompt_tokens",
    "outputs.usage.input_tokens",
)
_COMPLETION_TOKENS = (
    "completion_tokens",
    "outputs.usage_metadata.output_tokens",
    "outputs.llm_output.token_usage.completion_tokens",
    "outputs.usage.completion_tokens",
    "outputs.usage.output_tokens",
)


def recognises(sample: Sample) -> bool:
    """Whether a file holds runs of LangSmith, or events of a managed agent that it recorded."""
    return any(is_event(record) or any(map(_is_run, _runs(record))) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of the traces in a file."""
    first = next(iter(TraceFile(file.path).records()), None)
    if first is not None and not isinstance(first, TraceProblem) and is_event(first.value):
        yield from read_events(file)
        return
    for group in trace_groups(file, _items):
        if isinstance(group, TraceProblem):
            yield group
        else:
            yield from read_trace(file, _trace(group))


FORMAT = TraceFormat(
    name="langsmith",
    title="LangSmith runs, the batches of its clients, and managed agents' events",
    recognises=recognises,
    read=read,
)


def _is_run(value: Mapping[str, Any]) -> bool:
    return "dotted_order" in value or {"run_type", "inputs"} <= set(value)


def _runs(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the runs of a record: itself, those of a batch, and those inside of them."""
    if not isinstance(value, Mapping):
        return
    batches = [value[key] for key in _BATCHES if isinstance(value.get(key), list)]
    for inner in chain.from_iterable(batches):
        yield from _runs(inner)
    if not batches:
        yield value
        children = value.get("child_runs")
        for child in children if isinstance(children, list) else ():
            yield from _runs(child)


def _items(value: Any) -> Iterator[tuple[str, Run] | str]:
    found = False
    for run in _runs(value):
        found = True
        ids = _ids(run)
        if ids is None:
            yield "a run without an id"
        elif not _is_run(run):
            yield f"run {ids[1]!r}: it has no run_type and inputs"
        else:
            yield ids[0], {**run, "id": ids[1]}
    if not found:
        yield "no run of LangSmith: it needs an id, a run_type and inputs"


def _ids(run: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the ids of the trace and of the run; the update of a run may hold only its order.

    The order of a run is that of every run around it, each a time, a ``Z`` and an id.
    """
    order = run.get("dotted_order")
    path = [part.partition("Z")[2] for part in order.split(".")] if isinstance(order, str) else []
    trace, found = run.get("trace_id"), run.get("id")
    found = found if isinstance(found, str) and found else (path[-1] if path else None)
    trace = trace if isinstance(trace, str) and trace else (path[0] if path else found)
    return (trace, found) if found and trace else None


def _trace(group: TraceGroup[Run]) -> Trace:
    """Return a trace, in which the later records of a run complete the earlier ones."""
    runs: dict[str, Run] = {}
    for run in group.items:
        known = {key: value for key, value in run.items() if value not in (None, {}, [])}
        runs[run["id"]] = {**runs.get(run["id"], {}), **known}
    root = runs.get(group.id, next(iter(runs.values())))
    metadata = look_up(root, "extra.metadata")
    name, session = root.get("name"), root.get("session_name")
    return Trace(
        id=group.id,
        spans=tuple(map(_span, runs.values())),
        scores=_scores(root.get("feedback_stats")),
        metadata={
            **({"name": name} if name else {}),
            **({"session": session} if session else {}),
            **({"metadata": metadata} if isinstance(metadata, Mapping) else {}),
        },
        line=group.line,
    )


def _scores(stats: Any) -> dict[str, Any]:
    """Return the mean of each feedback."""
    if not isinstance(stats, Mapping):
        return {}
    return {
        name: each.get("avg")
        for name, each in stats.items()
        if isinstance(each, Mapping) and each.get("avg") is not None
    }


def _span(run: Run) -> Span:
    kind = _KINDS.get(str(run.get("run_type")), SpanKind.OTHER)
    asked = answered = Payload()
    problem = None
    try:
        if kind is not SpanKind.TOOL:
            asked = _payload(run.get("inputs"), Role.USER, kind)
            answered = _payload(run.get("outputs"), Role.ASSISTANT, kind)
    except MessageError as error:
        problem = str(error)
    order, failure = run.get("dotted_order"), run.get("error")
    return Span(
        id=run["id"],
        parent=_parent(run),
        name=str(run.get("name") or ""),
        kind=kind,
        start=order if isinstance(order, str) else str(run.get("start_time") or ""),
        ended=run.get("end_time") is not None,
        input=asked.messages,
        output=answered.messages,
        tools=asked.tools or _tools(run),
        model=_model(run),
        model_call=ModelCall(
            prompt_tokens=count(run, *_PROMPT_TOKENS),
            completion_tokens=count(run, *_COMPLETION_TOKENS),
            cost=number(run, "total_cost"),
        ),
        error=failure if isinstance(failure, str) and failure else None,
        tool=_tool_run(run) if kind is SpanKind.TOOL else None,
        plain=asked.plain,
        problem=problem,
    )


def _parent(run: Run) -> str | None:
    parent = run.get("parent_run_id")
    if isinstance(parent, str):
        return parent
    order = run.get("dotted_order")
    path = order.split(".") if isinstance(order, str) else []
    return path[-2].partition("Z")[2] if len(path) > 1 else None


def _payload(value: Any, role: Role, kind: SpanKind) -> Payload:
    """Return the messages of a payload; what encloses a call may hold anything else."""
    if isinstance(value, Mapping) and isinstance(prompts := value.get("prompts"), list):
        value = prompts
    if kind is SpanKind.MODEL:
        return read_payload(value, role)
    try:
        found = read_payload(value, role)
    except MessageError:
        return Payload()
    return Payload() if found.plain else found


def _model(run: Run) -> str | None:
    paths = (
        "outputs.model",
        "outputs.llm_output.model_name",
        "extra.metadata.ls_model_name",
        "extra.invocation_params.model",
        "inputs.model",
    )
    found = (look_up(run, path) for path in paths)
    return next((model for model in found if isinstance(model, str) and model), None)


def _tools(run: Run) -> tuple[JsonObject, ...] | None:
    return parse_tools(look_up(run, "extra.invocation_params.tools")) or None


def _tool_run(run: Run) -> ToolRun:
    inputs, outputs = run.get("inputs"), run.get("outputs")
    logged = inputs.get("input", inputs) if isinstance(inputs, Mapping) else inputs
    message = _tool_message(outputs)
    keys = ("output", "content", "result")
    result = outputs
    if isinstance(outputs, Mapping):
        result = next((outputs[key] for key in keys if key in outputs), outputs)
    text, structured, _ = result_text(result)
    if message is not None:
        text, structured = message.content, message.structured
    error = run.get("error")
    failed = True if isinstance(error, str) and error else None
    call_id = look_up(run, "extra.tool_call_id")
    return ToolRun(
        name=str(run.get("name") or ""),
        call_id=message.tool_call_id
        if message is not None
        else (call_id if isinstance(call_id, str) else None),
        arguments=None if logged is None else read_call_arguments(logged),
        result=text if text is not None or not failed else str(error),
        structured=structured,
        failed=failed if failed or message is None else message.failed,
    )


def _tool_message(outputs: Any) -> Message | None:
    """Return the message of a result, where LangChain has put it into one."""
    try:
        said = read_payload(outputs, Role.TOOL)
    except MessageError:
        return None
    last = said.messages[-1] if said.messages and not said.plain else None
    return last if last is not None and last.role is Role.TOOL else None
