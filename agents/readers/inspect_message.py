"""Reads one message of an Inspect log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import as_text, parse_arguments
from post_training_toolkit.agents.readers.message_parts import MessageParts
from post_training_toolkit.agents.readers.provider_message import MessageError

_ROLES = {role.value: role for role in Role}
_ARGUMENTS_BEFORE = "tool call arguments:\n\n"
_ARGUMENTS_BEHIND = "\n\nError details:"


def read_inspect_message(value: Any, model_calls: Mapping[str, ModelCall]) -> list[Message]:
    """Return the messages of a logged one; ``model_calls`` are costs by id of a message.

    A tool that the provider ran itself is logged with its result inside the answer, and the result
    becomes a message of its own. Raises ``MessageError`` where it is no message.
    """
    if not isinstance(value, Mapping):
        raise MessageError("a message is an object")
    name = value.get("role")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise MessageError(f"no role {name!r}; there are {', '.join(_ROLES)}")
    parts, ran = _parts(value.get("content"))
    if role is Role.TOOL:
        return [_result(value, parts)]
    logged, reasoning = value.get("tool_calls"), value.get("reasoning")
    if not isinstance(logged, (list, type(None))):
        raise MessageError("tool_calls is a list")
    if isinstance(reasoning, str) and reasoning:
        parts.thoughts.append(reasoning)
    calls = (*parts.calls, *map(_call, logged or ()))
    message_id = value.get("id")
    said = Message(
        role,
        parts.text,
        calls,
        reasoning=parts.reasoning,
        model_call=model_calls.get(message_id) if isinstance(message_id, str) else None,
        left_out=tuple(parts.left_out),
        extra=_extra(value),
    )
    return [said, *ran]


def _parts(content: Any) -> tuple[MessageParts, list[Message]]:
    """Return the parts of a content, and the results of tools that the provider ran."""
    parts, ran = MessageParts(), []
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "reasoning" and part.get("redacted") is True:
            part = {"type": "reasoning", "reasoning": part.get("summary")}
        parts.add([part] if isinstance(part, Mapping) else part)
        if kind == "tool_use" and part.get("result") is not None:
            call = parts.calls[-1] if parts.calls else None
            ran.append(
                Message(
                    Role.TOOL,
                    as_text(part["result"]),
                    tool_call_id=None if call is None else call.id,
                    name=None if call is None else call.name,
                    failed=True if part.get("error") else None,
                )
            )
    return parts, ran


def _result(value: Mapping[str, Any], parts: MessageParts) -> Message:
    call_id, name = value.get("tool_call_id"), value.get("function")
    error = value.get("error") or value.get("tool_error")
    said = error.get("message") if isinstance(error, Mapping) else error
    result = Message(
        Role.TOOL,
        parts.text,
        tool_call_id=call_id if isinstance(call_id, str) and call_id else None,
        name=name if isinstance(name, str) else None,
        failed=bool(error),
        left_out=tuple(parts.left_out),
        extra={"tool_error": error} if error else None,
    )
    # The model is shown the error where there is no other content.
    return replace(result, content=said) if not parts.text and isinstance(said, str) else result


def _call(call: Any) -> ToolCall:
    name = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(name, str) or not name:
        raise MessageError("a tool call without a function")
    arguments, unparsed = parse_arguments(call.get("arguments"))
    call_id, wrong = call.get("id"), call.get("parse_error")
    if isinstance(wrong, str):
        arguments, unparsed = {}, _logged_arguments(wrong)
    return ToolCall(
        name,
        arguments,
        id=call_id if isinstance(call_id, str) and call_id else None,
        unparsed=unparsed,
        extra={"parse_error": wrong} if isinstance(wrong, str) else None,
    )


def _logged_arguments(error: str) -> str:
    """Return the arguments that an error of parsing quotes, else the error."""
    _, found, behind = error.partition(_ARGUMENTS_BEFORE)
    return behind.rpartition(_ARGUMENTS_BEHIND)[0] or error if found else error


def _extra(value: Mapping[str, Any]) -> JsonObject | None:
    return {"metadata": value["metadata"]} if value.get("metadata") else None
