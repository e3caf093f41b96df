"""Writes episodes as rows of OpenAI chat messages."""

from __future__ import annotations

from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject, Message
from post_training_toolkit.agents.prompt_key import COPIED, is_copied
from post_training_toolkit.agents.readers.content import as_text


def openai_chat_text(episode: Episode) -> bytes:
    r"""Return an episode as one line of JSON: its messages, and beside them what is known of it.

    Arguments are JSON text, as OpenAI's API has them.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> episode = Episode("e1", (Message(Role.USER, "Hi"),), success=True)
    >>> openai_chat_text(episode)
    b'{"id":"e1","success":true,"messages":[{"role":"user","content":"Hi"}]}\n'
    """
    row: JsonObject = {
        "id": episode.id,
        "task_id": episode.task,
        "prompt_type": episode.prompt_type,
        "trial": episode.trial,
        "model": episode.model,
        "success": episode.success,
        "reward": episode.reward,
        "usage": _usage(episode),
        "cost": episode.cost,
        "end_reason": episode.end_reason,
        "ended": None if episode.ended else False,
        "unread_lines": list(episode.unread_lines) or None,
        "metadata": dict(episode.metadata) or None,
        "tools": None if episode.tools is None else list(episode.tools),
    }
    known = {key: value for key, value in row.items() if value is not None}
    known["messages"] = [_message(message) for message in episode.messages]
    return json_bytes(known) + b"\n"


def _message(message: Message) -> JsonObject:
    chat = message.as_chat()
    chat["content"] = message.content
    if is_copied(message):
        chat[COPIED] = True
    for call in chat.get("tool_calls", ()):
        call["function"]["arguments"] = as_text(call["function"]["arguments"])
    return chat


def _usage(episode: Episode) -> dict[str, Any] | None:
    usage = {
        "prompt_tokens": episode.prompt_tokens,
        "completion_tokens": episode.completion_tokens,
        "total_tokens": episode.total_tokens,
    }
    return {key: value for key, value in usage.items() if value is not None} or None
