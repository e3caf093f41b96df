"""Reads a chat message in any of the shapes that providers and frameworks log.

They are the messages of OpenAI, Anthropic, Gemini and Bedrock, of LangChain, the Vercel AI SDK and
BeeAI, and those of the span conventions of OpenTelemetry and OpenInference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import parse_arguments
from post_training_toolkit.agents.readers.message_parts import MessageParts, read_call
from post_training_toolkit.engine.readers.json_text import parse_json

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
    "aimessagechunk": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_LANGCHAIN_CLASSES = {
    "SystemMessage": "system",
    "HumanMessage": "human",
    "AIMessage": "ai",
    "AIMessageChunk": "ai",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
}
_RESPONSE_CALLS = ("function_call", "custom_tool_call", "mcp_call")
_RESPONSE_RESULTS = ("function_call_output", "custom_tool_call_output")


class MessageError(ValueError):
    """A value is no chat message of a shape that is known here."""


def read_messages(value: Any) -> tuple[Message, ...]:
    """Return the messages of a list of them, of one message, or of the JSON text of either.

    Raises ``MessageError`` where one is of no known shape.

    >>> [str(each.role) for each in read_messages('[{"role": "developer", "content": "Be brief"}]')]
    ['system']
    """
    if isinstance(value, str):
        value = from_json(value)
    if not isinstance(value, list):
        return tuple(read_message(value))
    messages: list[Message] = []
    for each in value:
        for message in read_message(each):
            messages.append(tied(message, messages[-1] if messages else None))
    return tuple(messages)


def tied(message: Message, before: Message | None) -> Message:
    """Return a result without an id with that of the only call right before it."""
    calls = before.tool_calls if before is not None else ()
    if message.role is not Role.TOOL or message.tool_call_id is not None or len(calls) != 1:
        return message
    return replace(message, tool_call_id=calls[0].id)


def from_json(text: Any) -> Any:
    """Return the value of JSON text, however often it was encoded; other values as they are."""
    while isinstance(text, str):
        try:
            value = parse_json(text)
        except ValueError:
            return text
        if not isinstance(value, (dict, list, str)):
            return text
        text = value
    return text


def read_message(value: Any) -> list[Message]:
    """Return the messages that one logged message holds; results of tools become their own.

    Raises ``MessageError`` for a shape or a role that is not known.
    """
    if isinstance(value, list) and len(value) == 1:  # LangChain logs a batch of conversations
        return read_message(value[0])
    if not isinstance(value, Mapping):
        raise MessageError(f"a message is an object, not {_kind(value)}")
    value = _unwrapped(value)
    if (item := _response_item(value)) is not None:
        return [item]
    role = _role(value)
    parts = MessageParts()
    parts.add(_content(value))
    for call in _logged_calls(value):
        if not isinstance(call, Mapping) or (found := read_call(call)) is None:
            raise MessageError("a tool call without a name of its tool")
        parts.calls.append(found)
    if not parts.calls and (embedded := _calls_in_content(value, role)):
        return [Message(Role.ASSISTANT, tool_calls=embedded, model_call=_model_call(value))]
    return _assembled(value, role, parts)


def read_role(value: Any) -> Role:
    """Return the role of a name; raise ``MessageError`` for one that is not known."""
    found = _ROLES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise MessageError(f"no role {value!r}; there are {', '.join(_ROLES)}")
    return found


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _unwrapped(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message inside of a choice, a LangChain dump or a Gemini candidate."""
    if isinstance(inner := value.get("kwargs"), Mapping) and isinstance(value.get("id"), list):
        name = str(value["id"][-1]) if value["id"] else ""
        return {"type": _LANGCHAIN_CLASSES.get(name, name), **inner}
    if isinstance(inner := value.get("data"), Mapping) and "role" not in value:
        return {"type": value.get("type"), **inner}
    finish = {
        "finish_reason": value.get("finish_reason", value.get("finishReason")),
    }
    if isinstance(inner := value.get("message"), Mapping) and "content" not in value:
        return {**finish, **_unwrapped(inner)}
    if isinstance(inner := value.get("content"), Mapping) and "parts" in inner:
        return {**finish, **inner}
    return value


def _role(value: Mapping[str, Any]) -> Role:
    if "role" in value:
        return read_role(value["role"])
    if "toolCallId" in value and "toolName" in value:  # the Vercel AI SDK answers with bare calls
        return Role.ASSISTANT
    if str(value.get("type")).lower() in _ROLES:
        return read_role(value["type"])
    raise MessageError("a message without a role")


def _content(value: Mapping[str, Any]) -> Any:
    if "role" not in value and "toolCallId" in value:
        return [{"type": "tool-call", **value}]
    for key in ("parts", "contents"):
        if isinstance(value.get(key), list) and value[key]:
            return value[key]
    content = value.get("content")
    return value.get("text") if content is None else content


def _logged_calls(value: Mapping[str, Any]) -> list[Any]:
    extra = value.get("additional_kwargs")
    for place in (value, extra if isinstance(extra, Mapping) else {}):
        calls = place.get("tool_calls")
        if isinstance(calls, list) and calls:
            invalid = place.get("invalid_tool_calls")
            return [*calls, *(invalid if isinstance(invalid, list) else ())]
        if calls not in (None, []):
            raise MessageError(f"tool_calls is a list, not {_kind(calls)}")
        if isinstance(legacy := place.get("function_call"), Mapping):
            return [legacy]
        if isinstance(invalid := place.get("invalid_tool_calls"), list) and invalid:
            return invalid
    return []


def _calls_in_content(value: Mapping[str, Any], role: Role) -> tuple[ToolCall, ...]:
    """Return the calls of a message whose content is a list of OpenAI's tool calls as JSON.

    Koog logs them so: with the role ``tool`` in a history, and the finish reason in an answer.
    """
    content = value.get("content")
    logged_as_calls = role is Role.TOOL or value.get("finish_reason") == "tool_calls"
    if not logged_as_calls or not isinstance(content, str) or not content.startswith("["):
        return ()
    calls = from_json(content)
    if not isinstance(calls, list) or not all(
        isinstance(call, Mapping) and call.get("type") == "function" and "id" in call
        for call in calls
    ):
        return ()
    found = [read_call(call) for call in calls]
    return tuple(call for call in found if call is not None) if all(found) else ()


def _assembled(value: Mapping[str, Any], role: Role, parts: MessageParts) -> list[Message]:
    if role is Role.TOOL:
        return parts.results or [
            Message(
                role,
                parts.text,
                tool_call_id=_text(value, "tool_call_id", "toolCallId", "tool_use_id", "id"),
                name=_text(value, "name", "toolName"),
                failed=_failed(value),
                structured=value["content"] if isinstance(value.get("content"), dict) else None,
                left_out=tuple(parts.left_out),
            )
        ]
    message = Message(
        role,
        parts.text,
        tuple(parts.calls),
        name=_text(value, "name"),
        reasoning=parts.reasoning
        or _text(value, "reasoning_content", "reasoning", "thinking", "thought"),
        model_call=_model_call(value) if role is Role.ASSISTANT else None,
        left_out=tuple(parts.left_out),
    )
    if role is Role.ASSISTANT:
        return [message, *parts.results]
    says_more = parts.text is not None or parts.left_out or not parts.results
    return [*parts.results, message] if says_more else parts.results


def _response_item(value: Mapping[str, Any]) -> Message | None:
    """Return the message of an item of OpenAI's Responses API that is a call or a result."""
    if "role" in value:
        return None
    if value.get("type") in _RESPONSE_CALLS:
        if (call := read_call(value)) is None:
            raise MessageError("a tool call without a name of its tool")
        return Message(Role.ASSISTANT, tool_calls=(call,))
    if value.get("type") in _RESPONSE_RESULTS:
        parts = MessageParts()
        parts.add([{**value, "type": "tool_result"}])
        return parts.results[0]
    if value.get("type") == "reasoning":
        parts = MessageParts()
        thoughts = value.get("summary") or value.get("content")
        if isinstance(thoughts, list):  # of the types summary_text and reasoning_text
            thoughts = [each.get("text") for each in thoughts if isinstance(each, Mapping)]
        parts.add(thoughts)
        return Message(Role.ASSISTANT, reasoning=parts.text)
    return None


def _model_call(value: Mapping[str, Any]) -> ModelCall | None:
    reason = _text(value, "finish_reason", "stop_reason")
    return None if reason is None else ModelCall(finish_reason=reason)


def _failed(value: Mapping[str, Any]) -> bool | None:
    for key in ("is_error", "isError"):
        if isinstance(value.get(key), bool):
            return bool(value[key])
    return {"error": True, "success": False}.get(str(value.get("status")))


def _text(value: Mapping[str, Any], *keys: str) -> str | None:
    return next(
        (value[key] for key in keys if isinstance(value.get(key), str) and value[key]), None
    )


def read_call_arguments(value: Any) -> JsonObject | None:
    """Return logged arguments of a run of a tool as a dict, None where they are no object."""
    arguments, unparsed = parse_arguments(value)
    return None if unparsed is not None else arguments
