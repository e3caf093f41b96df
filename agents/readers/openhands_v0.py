"""Reads events of OpenHands before its SDK: actions of the agent and observations of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from post_training_toolkit.agents.message import Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import as_text, parse_tools
from post_training_toolkit.agents.readers.message_parts import read_call
from post_training_toolkit.agents.readers.openhands_events import EventLog
from post_training_toolkit.agents.readers.otel_genai import count
from post_training_toolkit.agents.readers.provider_message import MessageError, read_message
from post_training_toolkit.agents.readers.span_attributes import look_up

# Fields of an action that are no arguments of what it does.
_NOT_ARGUMENTS = (
    "id",
    "timestamp",
    "source",
    "message",
    "action",
    "thought",
    "timeout",
    "is_confirmed",
    "confirmation_state",
    "action_risk",
    "security_risk",
    "keep_prompt",
    "kernel_init_code",
    "include_extra",
    "tool_call_metadata",
    "llm_metrics",
)
_ENDS = ("finish", "reject")
# What the controller says to itself, and what it adds to prompts without an event of its own.
_INTERNAL = (
    "recall",
    "change_agent_state",
    "agent_state_changed",
    "null",
    "condensation",
    "condensation_request",
    "condense",
    "loop_detection",
    "loop_recovery",
)


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
    if not isinstance(event, Mapping):
        raise MessageError("an event is an object")
    action, observation = event.get("action"), event.get("observation")
    if action in _INTERNAL or observation in _INTERNAL:
        log.left_out[str(action or observation)] += 1
    elif isinstance(action, str):
        _read_action(log, event, action)
    elif isinstance(observation, str):
        _read_observation(log, event, observation)
    else:
        raise MessageError("an event is an action or an observation")


def _read_action(log: EventLog, event: Mapping[str, Any], action: str) -> None:
    logged = event.get("args")
    args = logged if isinstance(logged, Mapping) else event
    if action == "system":
        log.add(Message(Role.SYSTEM, as_text(args.get("content", ""))))
        log.tools = parse_tools(args.get("tools")) or None
        return
    if action == "message":
        content = args.get("content")
        text = None if content is None else as_text(content)
        left_out = ("image",) if args.get("image_urls") else ()
        log.add(Message(_speaker(event, args), text, left_out=left_out))
        return
    if event.get("source") == "user":  # a command that the user ran
        log.left_out[f"{action} by the user"] += 1
        return
    _read_call(log, event, args, action)
    if action in _ENDS:
        log.end_reason = action


def _speaker(event: Mapping[str, Any], args: Mapping[str, Any]) -> Role:
    """Return who says a message; the first versions did not say, but the agent's wait."""
    source = event.get("source")
    if source is None:
        return Role.ASSISTANT if args.get("wait_for_response") is True else Role.USER
    if source not in ("user", "agent"):
        raise MessageError(f"no speaker {source!r} of a message; there are user, agent")
    return Role.USER if source == "user" else Role.ASSISTANT


def _read_call(
    log: EventLog, event: Mapping[str, Any], args: Mapping[str, Any], action: str
) -> None:
    """Add what the agent did: the answer of the model where it is logged, else the action."""
    answer = look_up(event, "tool_call_metadata.model_response")
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(message, Mapping):
        thought = args.get("thought")
        arguments = {
            key: value
            for key, value in args.items()
            if key not in _NOT_ARGUMENTS and value is not None
        }
        call = ToolCall(action, arguments, id=_event_id(event))
        said = Message(Role.ASSISTANT, thought if isinstance(thought, str) else None)
        log.add_call(call, said, None)
        return
    answer_id = answer.get("id")
    answer_id = answer_id if isinstance(answer_id, str) else None
    said = read_message({"role": "assistant", **message})[0]
    if said.tool_calls and answer_id is not None and answer_id == log.answer:
        return  # each of parallel calls has an event, and each event holds all of them
    model = answer.get("model")
    log.model = log.model or (model if isinstance(model, str) else None)
    reason = first.get("finish_reason") if isinstance(first, Mapping) else None
    usage = ModelCall(
        prompt_tokens=count(answer, "usage.prompt_tokens"),
        completion_tokens=count(answer, "usage.completion_tokens"),
        finish_reason=reason if isinstance(reason, str) else None,
    )
    opening = Message(
        Role.ASSISTANT,
        said.content,
        reasoning=said.reasoning,
        model_call=usage,
        left_out=said.left_out,
    )
    for call in said.tool_calls or _named_call(event, args):
        log.add_call(call, opening, answer_id)


def _named_call(event: Mapping[str, Any], args: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the call that an event names where the answer of the model does not hold it."""
    named = event.get("tool_call_metadata")
    about = named if isinstance(named, Mapping) else {}
    call = read_call(
        {
            "id": about.get("tool_call_id"),
            "name": about.get("function_name") or event.get("action"),
            "arguments": {k: v for k, v in args.items() if k not in _NOT_ARGUMENTS},
        }
    )
    return () if call is None else (call,)


def _read_observation(log: EventLog, event: Mapping[str, Any], observation: str) -> None:
    call_id = look_up(event, "tool_call_metadata.tool_call_id")
    name = look_up(event, "tool_call_metadata.function_name")
    cause = event.get("cause")
    if not isinstance(call_id, str):
        call_id = str(cause) if isinstance(cause, int) else None
    content = event.get("content")
    text = None if content is None else as_text(content)
    last = log.messages[-1] if log.messages else None
    if observation == "error" and call_id is None and (last is None or not last.tool_calls):
        # A call that could not be read has no event: OpenHands tells the model as a user does.
        log.add(Message(Role.USER, text, extra={"observation": observation}))
        return
    log.add_result(
        Message(
            Role.TOOL,
            text,
            tool_call_id=call_id,
            name=name if isinstance(name, str) else observation,
            failed=_failed(event, observation),
        )
    )


def _failed(event: Mapping[str, Any], observation: str) -> bool | None:
    if observation == "error":
        return True
    succeeded = event.get("success")
    if isinstance(succeeded, bool):
        return not succeeded
    code = event.get("exit_code", look_up(event, "extras.metadata.exit_code"))
    return code != 0 if isinstance(code, int) and code != -1 else None


def _event_id(event: Mapping[str, Any]) -> str | None:
    number = event.get("id")
    return str(number) if isinstance(number, int) else None
