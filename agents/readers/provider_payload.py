"""Reads what was sent to a model and what came back, as libraries log the whole of either.

Known are the requests and answers of OpenAI, Anthropic and Gemini, LangChain's batches of messages
and generations, states of graphs (``messages``), prompts as bare text, and lists of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.message_parts import MessageParts
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    from_json,
    read_message,
    read_messages,
)

_LISTS = ("messages", "contents", "input", "output", "outputs")
_TEXTS = ("prompt", "input", "output", "text", "completion")


@dataclass(frozen=True, slots=True)
class Payload:
    """Messages, and the tools that were offered with them.

    ``plain`` says that the payload was bare text, which the reader made one message of.
    """

    messages: tuple[Message, ...] = ()
    tools: tuple[JsonObject, ...] | None = None
    plain: bool = False


def read_payload(value: Any, role: Role) -> Payload:
    """Return the messages of a request or an answer; bare text is said by ``role``.

    Raises ``MessageError`` where a message in it is of no known shape. A payload without any
    messages, such as the state of a graph, gives none.

    >>> gemini = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    >>> [message.content for message in read_payload(gemini, Role.USER).messages]
    ['hi']
    """
    value = from_json(value)
    if isinstance(value, str):
        return Payload((Message(role, value),), plain=True) if value else Payload()
    if isinstance(value, list):
        return _of_list(value, role)
    if not isinstance(value, Mapping):
        return Payload()
    if (found := _answer(value)) is not None:
        return Payload(tuple(read_message(found)), _tools(value))
    listed = next((value[key] for key in _LISTS if isinstance(value.get(key), list)), None)
    if listed is None and isinstance(prompt := from_json(value.get("prompt")), (Mapping, list)):
        return read_payload(prompt, role)
    if listed is None and isinstance(inner := value.get("output"), Mapping):
        return read_payload(inner, role)
    if listed is None:
        text = next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), None)
        return Payload((Message(role, text),), plain=True) if text else Payload()
    inside = _of_list(listed, role)
    messages = inside.messages
    if messages and messages[0].role is not Role.SYSTEM:
        messages = (*_instructions(value), *messages)
    return Payload(messages, _tools(value) or inside.tools, plain=inside.plain)


def _of_list(values: list[Any], role: Role) -> Payload:
    """Return the messages of a list; definitions of tools among them are no messages.

    What is a list of something else, such as results of a search, gives none.
    """
    if len(values) == 1 and isinstance(values[0], list):  # LangChain: a batch of one conversation
        return _of_list(values[0], role)
    tools = [tool for value in values if (tool := _definition(value)) is not None]
    said = [value for value in values if _definition(value) is None]
    if said and all(isinstance(value, str) for value in said):
        return Payload((Message(role, "\n".join(said)),), plain=True)
    if not any(_is_message(value) for value in said):
        return Payload()
    return Payload(read_messages(said), parse_tools(tools) or None)


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    keys = {"role", "kwargs", "toolCallId", "message"}
    try:
        return bool(keys & set(value)) or bool(read_message(value))
    except MessageError:
        return False


def _definition(value: Any) -> Any:
    """Return the definition of a tool that LangChain's callbacks log as a message."""
    content = value.get("content") if isinstance(value, Mapping) else None
    is_tool = isinstance(content, Mapping) and isinstance(content.get("function"), Mapping)
    return content if is_tool and value.get("role") == "tool" else None


def _answer(value: Mapping[str, Any]) -> Any:
    """Return the message of an answer: the first of its choices, or the payload itself."""
    for key in ("choices", "generations", "candidates"):
        chosen = value.get(key)
        while isinstance(chosen, list) and chosen:
            chosen = chosen[0]
        if isinstance(chosen, Mapping):
            return _chosen(chosen)
    inner = value.get("message")
    if isinstance(inner, Mapping) or "role" in value:
        return value
    if isinstance(content := value.get("content"), Mapping) and "parts" in content:
        return {"role": "model", **content, "finish_reason": value.get("finish_reason")}
    is_dump = isinstance(value.get("kwargs"), Mapping) and isinstance(value.get("id"), list)
    is_langchain = value.get("type") in ("ai", "human", "system", "tool", "AIMessageChunk")
    return value if is_dump or (is_langchain and "content" in value) else None


def _chosen(choice: Mapping[str, Any]) -> Any:
    about = choice.get("generation_info")
    reason = choice.get("finish_reason", choice.get("finishReason"))
    if isinstance(about, Mapping):  # LangChain
        reason = about.get("finish_reason", about.get("stop_reason"))
    if isinstance(reason, Mapping):  # LangSmith's wrapper of streams puts the last chunk here
        reason = reason.get("finish_reason")
    message = choice.get("message")
    if isinstance(message, Mapping):
        return {"role": "assistant", "message": message, "finish_reason": reason}
    if isinstance(content := choice.get("content"), Mapping):
        return {"role": "model", **content, "finish_reason": reason}
    return {"role": "assistant", "content": choice.get("text"), "finish_reason": reason}


def _instructions(value: Mapping[str, Any]) -> tuple[Message, ...]:
    config = value.get("config")
    inside = config if isinstance(config, Mapping) else {}
    keys = ("system", "instructions", "system_instruction", "systemInstruction")
    found = next(
        (place[key] for place in (value, inside) for key in keys if place.get(key) is not None),
        None,
    )
    if found is None:
        return ()
    parts = MessageParts()
    parts.add(found["parts"] if isinstance(found, Mapping) and "parts" in found else found)
    return (Message(Role.SYSTEM, parts.text, left_out=tuple(parts.left_out)),)


def _tools(value: Mapping[str, Any]) -> tuple[JsonObject, ...] | None:
    config = value.get("config")
    places = (value, config) if isinstance(config, Mapping) else (value,)
    for place in places:
        tools = from_json(place.get("tools"))
        if isinstance(tools, list):
            return parse_tools(_declarations(tools)) or None
    return None


def _declarations(tools: list[Any]) -> list[Any]:
    """Return definitions as a flat list: Gemini groups them, some libraries encode each."""
    flat: list[Any] = []
    for tool in map(from_json, tools):
        declared = None
        if isinstance(tool, Mapping):
            declared = tool.get("function_declarations", tool.get("functionDeclarations"))
        flat.extend(declared if isinstance(declared, list) else [tool])
    return flat
