"""Reads runs of OpenHands: rows of its evaluations, and exported streams of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers import openhands_v0, openhands_v1
from post_training_toolkit.agents.readers.openhands_events import EventLog, event_kind
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.records import Record, TraceFile
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_HISTORIES = ("history", "events", "trajectory")
# What every event says besides its kind; rows of evaluations before 2025 left it out.
_MARKS = ("source", "timestamp")
_KEPT = ("instance_id", "test_result", "git_patch", "result_explanation", "issue_type")


def recognises(sample: Sample) -> bool:
    """Whether a file holds events of OpenHands, or rows with a history of them."""
    return any(_is_row(record) or _is_event(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of a file: each row is one, and a stream of events is one."""
    events: list[Record] = []
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
        elif _is_row(record.value):
            yield from _row(file, record)
        elif event_kind(record.value) is not None:
            events.append(record)
        else:
            yield file.problem(record.line, "neither an event nor a row with a history of events")
    if events:
        log = _read_events([record.value for record in events])
        for at, problem in log.problems:
            place = "" if events[at].line is not None else f"event {at}"
            yield file.problem(events[at].line, problem, place)
        if log.messages:
            ended = log.end_reason is not None or _has_last_word(log)
            yield _episode(file, log, file.path.stem, None, ended=ended)
        else:
            yield file.problem(None, "no event of the conversation can be read")


FORMAT = TraceFormat(
    name="openhands",
    title="OpenHands evaluation rows and event streams, of both generations",
    recognises=recognises,
    read=read,
)


def _history(record: Any) -> list[Any] | None:
    """Return the events of a row; the first versions logged pairs of action and observation."""
    if not isinstance(record, Mapping) or event_kind(record) is not None:
        return None
    found = next((record[key] for key in _HISTORIES if isinstance(record.get(key), list)), None)
    if found and all(isinstance(pair, list) for pair in found):
        return list(chain.from_iterable(found))
    return found


def _is_row(record: Any) -> bool:
    history = _history(record)
    return any(event_kind(event) and _is_known(event) for event in (history or [])[:5])


def _is_known(event: Mapping[str, Any]) -> bool:
    """Whether an event is one of OpenHands and not a step of SWE-agent, which has actions too."""
    if "kind" in event:
        return "source" in event
    return (
        "response" not in event
        and "role" not in event
        and (not isinstance(event.get("action"), str) or "observation" not in event)
    )


def _is_event(record: Any) -> bool:
    kind = event_kind(record)
    return kind is not None and all(key in record for key in _MARKS) and _is_known(record)


def _read_events(events: list[Any]) -> EventLog:
    has_kinds = any(isinstance(event, Mapping) and "kind" in event for event in events)
    return openhands_v1.read_events(events) if has_kinds else openhands_v0.read_events(events)


def _has_last_word(log: EventLog) -> bool:
    last = log.messages[-1]
    return last.role is Role.ASSISTANT and not last.tool_calls


def _row(file: TraceFile, record: Record) -> Iterator[Episode | TraceProblem]:
    row = record.value
    name = row.get("instance_id")
    if not isinstance(name, str):
        number_of_issue = look_up(row, "issue.number")
        name = str(number_of_issue) if isinstance(number_of_issue, int) else None
    log = _read_events(_history(row) or [])
    place = f"{name}: history" if name else "history"
    for at, problem in log.problems:
        yield file.problem(record.line, problem, f"{place}[{at}]")
    if not log.messages:
        yield file.problem(record.line, "no event of the history can be read")
        return
    error = row.get("error")
    if isinstance(error, str) and error:
        log.end_reason = error
    log.cost = log.cost or number(row, "metrics.accumulated_cost") or None
    tokens = "metrics.accumulated_token_usage"
    log.prompt_tokens = log.prompt_tokens or count(row, f"{tokens}.prompt_tokens")
    log.completion_tokens = log.completion_tokens or count(row, f"{tokens}.completion_tokens")
    model = look_up(row, "metadata.llm_config.model") or look_up(row, "metadata.llm.model")
    log.model = model if isinstance(model, str) else log.model
    yield _episode(
        file,
        log,
        name or f"{file.path.stem}/{record.line or 1}",
        record,
        ended=log.end_reason is not None or _has_last_word(log),
    )


def _episode(
    file: TraceFile, log: EventLog, name: str, record: Record | None, *, ended: bool
) -> Episode:
    row = record.value if record is not None else {}
    calls = [each.model_call for each in log.messages if each.model_call is not None]
    prompt = [call.prompt_tokens for call in calls if call.prompt_tokens is not None]
    written = [call.completion_tokens for call in calls if call.completion_tokens is not None]
    return Episode(
        id=name,
        messages=tuple(log.messages),
        task=name if record is not None else None,
        tools=log.tools,
        model=log.model,
        success=_success(row),
        prompt_tokens=log.prompt_tokens or (sum(prompt) if prompt else None),
        completion_tokens=log.completion_tokens or (sum(written) if written else None),
        cost=log.cost,
        end_reason=log.end_reason,
        ended=ended,
        metadata={
            **{key: row[key] for key in _KEPT if row.get(key) is not None},
            **({"events_left_out": dict(log.left_out)} if log.left_out else {}),
        },
        source=file.name,
        line=record.line if record is not None else None,
    )


def _success(row: Mapping[str, Any]) -> bool | None:
    """Return the judgement that a row holds: its own, or that of the tests."""
    places = ("success", "report.resolved", "test_result.report.resolved", "resolved")
    found = (look_up(row, place) for place in places)
    return next((judged for judged in found if isinstance(judged, bool)), None)
