"""Reads events of the SDK of OpenHands, which say by ``kind`` what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any

from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.readers.content import flatten_content, parse_tools
from post_training_toolkit.agents.readers.message_parts import read_call
from post_training_toolkit.agents.readers.openhands_events import EventLog
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import MessageError, read_message

_RESULTS = ("ObservationEvent", "UserRejectObservation", "AgentErrorEvent")
# Statuses of a conversation that is over.
_ENDS = ("finished", "stuck", "error")


def read_events(events: Iterable[Any]) -> EventLog:
    """Return what a stream of events tells; an event that is none of them becomes a problem."""
    log = EventLog()
    for at, event in enumerate(events):
        try:
            _read_event(log, event)
        except MessageError as error:
            log.problems.append((at, str(error)))
    return log


def _read_event(log: EventLog, event: Any) -> None:
    if not isinstance(event, Mapping) or not isinstance(event.get("kind"), str):
        raise MessageError("an event is an object with a kind")
    kind = event["kind"]
    if kind == "SystemPromptEvent":
        text, left_out = flatten_content(_listed(event.get("system_prompt")))
        log.add(Message(Role.SYSTEM, text, left_out=left_out))
        log.tools = parse_tools(event.get("tools")) or None
    elif kind == "MessageEvent":
        said = event.get("llm_message")
        if not isinstance(said, Mapping):
            raise MessageError("a MessageEvent needs an llm_message")
        for message in read_message(said):
            log.add(message)
    elif kind == "ActionEvent":
        _read_action(log, event)
    elif kind in _RESULTS:
        log.add_result(_result(event, kind))
    elif kind == "ConversationStateUpdateEvent":
        _read_state(log, event)
    elif kind == "ConversationErrorEvent":
        code = event.get("code")
        log.end_reason = code if isinstance(code, str) else "error"
    else:
        log.left_out[kind] += 1


def _read_action(log: EventLog, event: Mapping[str, Any]) -> None:
    logged = event.get("tool_call")
    call = read_call(logged) if isinstance(logged, Mapping) else None
    if call is None:
        action = event.get("action")
        arguments = action if isinstance(action, Mapping) else {}
        call = read_call(
            {
                "id": event.get("tool_call_id"),
                "name": event.get("tool_name"),
                "arguments": {key: arguments[key] for key in arguments if key != "kind"},
            }
        )
    if call is None:
        raise MessageError("an ActionEvent needs a tool_name")
    text, left_out = flatten_content(_listed(event.get("thought")))
    thought, answer = event.get("reasoning_content"), event.get("llm_response_id")
    message = Message(
        Role.ASSISTANT,
        text,
        reasoning=thought if isinstance(thought, str) else None,
        left_out=left_out,
    )
    log.add_call(call, message, answer if isinstance(answer, str) else None)
    if call.name == "finish":
        log.end_reason = call.name


def _result(event: Mapping[str, Any], kind: str) -> Message:
    observation = event.get("observation")
    about = observation if isinstance(observation, Mapping) else {}
    logged = event.get("error", event.get("rejection_reason", about.get("content")))
    if logged is None and isinstance(about.get("output"), str):
        logged = about["output"]
    text, left_out = flatten_content(logged)
    call_id, name, failed = event.get("tool_call_id"), event.get("tool_name"), about.get("is_error")
    if kind == "AgentErrorEvent":
        failed = True
    return Message(
        Role.TOOL,
        text,
        tool_call_id=call_id if isinstance(call_id, str) else None,
        name=name if isinstance(name, str) else None,
        failed=failed if isinstance(failed, bool) else None,
        left_out=left_out,
    )


def _read_state(log: EventLog, event: Mapping[str, Any]) -> None:
    """Take the status and the counts so far, which the stream repeats after each call."""
    key, value = event.get("key"), event.get("value")
    if key == "full_state" and isinstance(value, Mapping):
        for inner in ("execution_status", "stats"):
            _read_state(log, {"key": inner, "value": value.get(inner)})
    elif key == "execution_status" and value in _ENDS:
        log.end_reason = log.end_reason or str(value)
    elif key == "stats" and isinstance(value, Mapping):
        usage = value.get("usage_to_metrics")
        metrics = [each for each in usage.values() if each] if isinstance(usage, Mapping) else []
        _take_counts(log, [each for each in metrics if isinstance(each, Mapping)])


def _take_counts(log: EventLog, metrics: list[Mapping[str, Any]]) -> None:
    prompt = [count(each, "accumulated_token_usage.prompt_tokens") for each in metrics]
    written = [count(each, "accumulated_token_usage.completion_tokens") for each in metrics]
    costs = [number(each, "accumulated_cost") for each in metrics]
    log.prompt_tokens = sum(each or 0 for each in prompt) or None
    log.completion_tokens = sum(each or 0 for each in written) or None
    log.cost = fsum(each or 0.0 for each in costs) or None
    names = (each.get("model_name") for each in metrics)
    log.model = log.model or next((name for name in names if isinstance(name, str)), None)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value
