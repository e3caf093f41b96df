"""Reads the events of a session of an agent that Anthropic runs, as LangSmith records them.

A line is a pair: the name of the client's method, and what was sent or received.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import flatten_content, parse_tools
from post_training_toolkit.agents.readers.message_parts import MessageParts, read_call
from post_training_toolkit.agents.readers.otel_genai import count
from post_training_toolkit.agents.readers.records import TraceFile

_METHODS = "client.beta.sessions."
_CALLS = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
_RESULTS = ("agent.tool_result", "agent.mcp_tool_result", "user.custom_tool_result")


def is_event(value: Any) -> bool:
    """Whether a JSON value is one recorded call of a client of sessions."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and value[0].startswith(_METHODS)
    )


@dataclass(slots=True)
class _Session:
    """What is known of a session so far."""

    agent: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    messages: list[Message] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    answering: bool = False
    end_reason: str | None = None
    ended: bool = False


def read_events(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episode of each session in a file; a new session begins where one is created."""
    session = _Session()
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
            continue
        if not is_event(record.value):
            yield file.problem(record.line, "no event: it is a pair of a method and a value")
            continue
        method, payload = record.value
        if method.endswith("sessions.create"):
            if session.messages:
                yield _episode(file, session)
            session = _created(payload)
        elif method.endswith("events.send"):
            _send(session, payload)
        elif not isinstance(payload, Mapping) or not isinstance(payload.get("type"), str):
            yield file.problem(record.line, "an event without a type")
        else:
            _receive(session, payload)
    if session.messages:
        yield _episode(file, session)


def _created(payload: Any) -> _Session:
    about = payload if isinstance(payload, Mapping) else {}
    agent = about.get("agent")
    return _Session(agent if isinstance(agent, Mapping) else {}, _text(about.get("id")))


def _send(session: _Session, payload: Any) -> None:
    """Take the id of the session; what is sent comes back in the stream."""
    if isinstance(payload, list) and payload and isinstance(payload[0], str):
        session.id = session.id or payload[0]


def _receive(session: _Session, event: Mapping[str, Any]) -> None:
    kind = event["type"]
    if kind == "user.message":
        text, left_out = flatten_content(event.get("content"))
        session.messages.append(Message(Role.USER, text, left_out=left_out))
        session.ended = False
    elif kind == "span.model_request_start":
        session.answering = False
    elif kind in _CALLS or kind in ("agent.message", "agent.thinking"):
        _add_to_answer(session, event)
    elif kind in _RESULTS:
        session.messages.append(_result(event))
    elif kind == "span.model_request_end":
        _add_usage(session, event)
    elif kind == "session.status_idle":
        reason = event.get("stop_reason")
        session.end_reason = _text(reason.get("type")) if isinstance(reason, Mapping) else None
        session.ended = session.end_reason != "requires_action"
    elif kind in ("session.error", "session.status_terminated"):
        session.end_reason, session.ended = kind.removeprefix("session."), True


def _add_to_answer(session: _Session, event: Mapping[str, Any]) -> None:
    """Add an event to the answer of the model, which comes in several."""
    parts = MessageParts()
    kind = event["type"]
    if kind == "agent.thinking":
        parts.thoughts += [text] if (text := flatten_content(event.get("content"))[0]) else []
    elif kind == "agent.message":
        parts.add(event.get("content"))
    elif (call := read_call(event)) is not None:
        parts.calls.append(call)
    if not session.answering:
        session.messages.append(Message(Role.ASSISTANT))
        session.answering = True
    at = next(
        at
        for at in range(len(session.messages) - 1, -1, -1)
        if session.messages[at].role is Role.ASSISTANT
    )
    before = session.messages[at]
    session.messages[at] = replace(
        before,
        content=_joined(before.content, parts.text),
        reasoning=_joined(before.reasoning, parts.reasoning),
        tool_calls=(*before.tool_calls, *parts.calls),
        left_out=(*before.left_out, *parts.left_out),
    )


def _add_usage(session: _Session, event: Mapping[str, Any]) -> None:
    keys = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    tokens = [count(event, f"model_usage.{key}") for key in keys]
    known = [each for each in tokens if each is not None]
    call = ModelCall(
        prompt_tokens=sum(known) if known else None,
        completion_tokens=count(event, "model_usage.output_tokens"),
    )
    session.calls.append(call)
    if session.answering:
        at = max(at for at, each in enumerate(session.messages) if each.role is Role.ASSISTANT)
        session.messages[at] = replace(session.messages[at], model_call=call)


def _result(event: Mapping[str, Any]) -> Message:
    text, left_out = flatten_content(event.get("content"))
    ids = ("tool_use_id", "mcp_tool_use_id", "custom_tool_use_id")
    failed = event.get("is_error")
    return Message(
        Role.TOOL,
        text,
        tool_call_id=next((event[key] for key in ids if isinstance(event.get(key), str)), None),
        failed=failed if isinstance(failed, bool) else None,
        left_out=left_out,
    )


def _episode(file: TraceFile, session: _Session) -> Episode:
    agent = session.agent
    system = _text(agent.get("system"))
    model = agent.get("model")
    opening = (Message(Role.SYSTEM, system),) if system else ()
    prompt = [each.prompt_tokens for each in session.calls if each.prompt_tokens is not None]
    written = [
        each.completion_tokens for each in session.calls if each.completion_tokens is not None
    ]
    name = _text(agent.get("name"))
    return Episode(
        id=session.id or file.path.stem,
        messages=(*opening, *session.messages),
        tools=_tools(agent.get("tools")),
        model=_text(model.get("id")) if isinstance(model, Mapping) else _text(model),
        prompt_tokens=sum(prompt) if prompt else None,
        completion_tokens=sum(written) if written else None,
        end_reason=session.end_reason,
        ended=session.ended,
        metadata={"agent": name} if name else {},
        source=file.name,
    )


def _tools(tools: Any) -> tuple[JsonObject, ...] | None:
    """Return the agent's own tools; sets of tools come without their definitions."""
    return parse_tools(tools) or None if isinstance(tools, list) else None


def _joined(before: str | None, after: str | None) -> str | None:
    texts = [text for text in (before, after) if text is not None]
    return "\n".join(texts) if texts else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
