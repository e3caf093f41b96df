"""Reads a message of Anthropic's API, whose content is a list of blocks, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.message import Message, ModelCall, Role
from post_training_toolkit.agents.readers.content import flatten_content
from post_training_toolkit.agents.readers.otel_genai import count
from post_training_toolkit.agents.readers.provider_message import MessageError, read_message

BLOCK_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_MEDIA = ("image", "document", "search_result", "tool_reference")
_ROLES = ("user", "assistant", "system")
# What the cache held is part of the prompt, but counted apart.
_PROMPT_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read_anthropic_message(value: Any) -> list[Message]:
    """Return the messages of one message of the API; each result of a tool becomes its own.

    Raises ``MessageError`` where it is none.
    """
    if not isinstance(value, Mapping):
        raise MessageError("a message is an object")
    if value.get("role") not in _ROLES:
        raise MessageError(f"no role {value.get('role')!r}; there are {', '.join(_ROLES)}")
    content = value.get("content")
    if not isinstance(content, (str, list)):
        raise MessageError("a message needs content, which is text or a list of blocks")
    blocks = content if isinstance(content, str) else [_checked(block) for block in content]
    found = [_without_media(message) for message in read_message({**value, "content": blocks})]
    made = model_call(value)
    return [
        replace(message, model_call=made) if message.role is Role.ASSISTANT else message
        for message in found
    ]


def model_call(value: Mapping[str, Any]) -> ModelCall | None:
    """Return what an answer cost and why it stopped; the prompt includes what was cached."""
    usage = value.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    prompt = [found for key in _PROMPT_TOKENS if (found := count(usage, key)) is not None]
    reason = value.get("stop_reason")
    made = ModelCall(
        sum(prompt) if prompt else None,
        count(usage, "output_tokens"),
        finish_reason=reason if isinstance(reason, str) else None,
    )
    return None if made == ModelCall() else made


def _checked(block: Any) -> Any:
    """Return a block as the others read it: the results of the provider's own tools as results."""
    if not isinstance(block, Mapping):
        if isinstance(block, str):
            return block
        raise MessageError("a block of content is an object")
    kind = block.get("type")
    if kind in BLOCK_CALLS and not (isinstance(block.get("name"), str) and block["name"]):
        raise MessageError("a tool call without a name of its tool")
    if isinstance(kind, str) and kind.endswith("_tool_result"):
        return {**block, "type": "tool_result"}
    return block


def _without_media(message: Message) -> Message:
    """Return a result that is nothing but images without their encoded bytes as text."""
    parts = message.structured
    if not isinstance(parts, list) or not all(
        isinstance(part, Mapping) and part.get("type") in _MEDIA for part in parts
    ):
        return message
    _, left_out = flatten_content(parts)
    return replace(message, content=None, structured=None, left_out=left_out)
