"""Sorts the parts of a message's content: text, reasoning, calls and results of tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.agents.readers.content import as_text, flatten_content, parse_arguments

_REASONING = ("reasoning", "thinking", "thought")
_CALLS = (
    "tool_call",
    "tool-call",
    "tool_use",
    "server_tool_use",
    "mcp_tool_use",
    "function_call",
    "server_tool_call",
)
_RESULTS = (
    "tool_call_response",
    "tool-result",
    "tool-error",
    "tool_result",
    "mcp_tool_result",
    "tool_response",
    "server_tool_call_response",
)
# Parts that carry no ``type`` but are named by their only key: Gemini and Bedrock.
_KEYED = {
    "function_call": "tool_call",
    "functionCall": "tool_call",
    "toolUse": "tool_call",
    "function_response": "tool_result",
    "functionResponse": "tool_result",
    "toolResult": "tool_result",
    "reasoningContent": "reasoning",
    "message_content": "",
}


@dataclass(slots=True)
class MessageParts:
    """What a content is made of; ``add`` sorts one content into it."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def text(self) -> str | None:
        """The texts, one a line; None where there is none."""
        return "\n".join(self.texts) if self.texts else None

    @property
    def reasoning(self) -> str | None:
        """The texts of reasoning, one a line; None where there is none."""
        return "\n".join(self.thoughts) if self.thoughts else None

    def add(self, content: Any) -> None:
        """Sort a content: None, text, a list of parts, or anything else as JSON."""
        if content is None:
            return
        if not isinstance(content, list):
            self.texts.append(as_text(content))
            return
        for part in content:
            if isinstance(part, str):
                self.texts.append(part)
            elif isinstance(part, Mapping):
                self._add_part(_typed(part))
            else:
                self.left_out.append("?")

    def _add_part(self, part: Mapping[str, Any]) -> None:
        kind = part.get("type")
        if kind in _CALLS and (call := read_call(part)) is not None:
            self.calls.append(call)
        elif kind in _RESULTS:
            self.results.append(_result(part))
        elif kind in _REASONING or part.get("thought") is True:
            thought = _first_text(part, "content", "thinking", "text", "reasoning")
            if thought is not None:
                self.thoughts.append(thought)
        elif (text := _plain_text(part)) is not None:
            self.texts.append(text)
        else:
            self.left_out.append(str(kind or next(iter(part), "?")))


def read_call(value: Mapping[str, Any]) -> ToolCall | None:
    """Return the call of a tool in any provider's shape, None where it names no tool.

    >>> read_call({"id": "c", "type": "tool_use", "name": "add", "input": {"a": 1}}).arguments
    {'a': 1}
    """
    if isinstance(inner := value.get("tool_call"), Mapping):
        value = inner
    function = value.get("function")
    inside = function if isinstance(function, Mapping) else value
    name = _first_text(inside, "name", "toolName", "tool_name")
    if name is None:
        return None
    keys = ("arguments", "args", "input", "parameters")
    logged = next((inside[key] for key in keys if inside.get(key) is not None), None)
    arguments, unparsed = parse_arguments(logged)
    return ToolCall(name, arguments, id=call_id(value), unparsed=unparsed)


def call_id(value: Mapping[str, Any]) -> str | None:
    """Return the id that ties a call to its result, None where there is none or an empty one."""
    return _first_text(
        value, "call_id", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "id"
    )


def result_text(value: Any) -> tuple[str | None, Any, tuple[str, ...]]:
    """Return a result of a tool as text, as it is where it is no text, and what is left out."""
    if isinstance(value, Mapping) and set(value) == {"type", "value"}:  # the Vercel AI SDK
        value = value["value"]
    if value is None or isinstance(value, str):
        return value, None, ()
    if isinstance(value, list) and any(
        isinstance(part, Mapping) and part.get("type") == "text" for part in value
    ):
        text, left_out = flatten_content(value)
        return text, None, left_out
    return as_text(value), value, ()


def _result(part: Mapping[str, Any]) -> Message:
    keys = ("content", "response", "result", "output", "error")
    logged = next((part[key] for key in keys if part.get(key) is not None), None)
    text, structured, left_out = result_text(logged)
    return Message(
        Role.TOOL,
        text,
        tool_call_id=call_id(part),
        name=_first_text(part, "name", "toolName"),
        failed=_failed(part, logged),
        structured=structured,
        left_out=left_out,
    )


def _failed(part: Mapping[str, Any], logged: Any) -> bool | None:
    for key in ("is_error", "isError"):
        if isinstance(part.get(key), bool):
            return bool(part[key])
    if part.get("type") == "tool-error" or part.get("status") == "error":
        return True
    if isinstance(logged, Mapping) and str(logged.get("type", "")).startswith("error-"):
        return True
    return False if part.get("status") == "success" else None


def _typed(part: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, kind in _KEYED.items():
        if isinstance(inner := part.get(key), Mapping) and part.get("type") in (None, key):
            return {**inner, "type": kind} if kind else inner
    return part


def _plain_text(part: Mapping[str, Any]) -> str | None:
    if part.get("type", "text") not in ("text", "input_text", "output_text", "refusal"):
        return None
    return _first_text(part, "text", "content", "refusal", empty=True)


def _first_text(value: Mapping[str, Any], *keys: str, empty: bool = False) -> str | None:
    for key in keys:
        if isinstance(found := value.get(key), str) and (found or empty):
            return found
    return None
