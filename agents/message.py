"""What an agent trace is made of: chat messages, whose tool calls carry dicts of arguments."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

JsonObject = dict[str, Any]

# A log of many episodes holds millions of these. A Struct is a frozen, slotted dataclass that is
# made nine times as fast; the garbage collector need not look at what can have no cycles.


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ToolCall(Struct, frozen=True, gc=False):
    """A call of a tool by the model.

    ``id`` ties it to its result, None where the trace has none. ``unparsed`` is the text of
    arguments that are no JSON object, and ``arguments`` is empty then. ``step`` is the number that
    the trace gives to the call, where it numbers calls apart from messages. ``extra`` holds what
    else the trace says of it.
    """

    name: str
    arguments: JsonObject
    id: str | None = None
    unparsed: str | None = None
    step: int | None = None
    extra: JsonObject | None = None


class ModelCall(Struct, frozen=True, gc=False):
    """What one answer of the model cost and why it ended; None where the trace does not say.

    Tokens are counted as the provider does; ``cost`` is in US dollars. ``finish_reason`` is the
    provider's own word, such as ``stop``, ``tool_calls`` or ``length``.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    finish_reason: str | None = None


class Message(Struct, frozen=True, gc=False):
    """One chat message.

    ``content`` is plain text; ``left_out`` names the kinds of content that are no text, such as
    ``image``. A tool's answer names its call by ``tool_call_id`` where the trace does, and the tool
    by ``name``; of other roles ``name`` is the speaker's. ``failed`` says of an answer of a tool
    whether it is an error, None where the trace does not say. ``structured`` is an answer as the
    trace holds it, where it is not text. ``step`` is the number that the trace gives to the
    message. ``extra`` holds what else the trace says of it.
    """

    role: Role
    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None
    failed: bool | None = None
    structured: Any = None
    step: int | None = None
    model_call: ModelCall | None = None
    left_out: tuple[str, ...] = ()
    extra: JsonObject | None = None

    def as_chat(self) -> JsonObject:
        """Return the message as a chat template takes it: arguments are dicts, nothing else added.

        >>> Message(Role.ASSISTANT, None, (ToolCall("add", {"a": 1}, id="c1"),)).as_chat()[
        ...     "tool_calls"
        ... ]
        [{'id': 'c1', 'type': 'function', 'function': {'name': 'add', 'arguments': {'a': 1}}}]
        >>> Message(Role.TOOL, "2", tool_call_id="c1", name="add").as_chat()
        {'role': 'tool', 'content': '2', 'tool_call_id': 'c1', 'name': 'add'}
        """
        chat: JsonObject = {"role": str(self.role), "content": self.content or ""}
        if self.reasoning is not None:
            chat["reasoning_content"] = self.reasoning
        if self.tool_calls:
            chat["tool_calls"] = [_call_as_chat(call) for call in self.tool_calls]
        if self.tool_call_id is not None:
            chat["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            chat["name"] = self.name
        return chat


def _call_as_chat(call: ToolCall) -> JsonObject:
    chat: JsonObject = {} if call.id is None else {"id": call.id}
    arguments = call.arguments if call.unparsed is None else call.unparsed
    return {
        **chat,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
