"""Tells episodes apart by what the model was shown before its first answer."""

from __future__ import annotations

import hashlib

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject, Message, Role

COPIED = "is_copied_context"
_HEX_DIGITS = 32


def prompt_of(episode: Episode) -> tuple[Message, ...]:
    """Return the messages before the first one that the assistant wrote in this episode.

    An episode that goes on from another one may begin with copied turns, which are context.
    """
    for index, message in enumerate(episode.messages):
        if message.role is Role.ASSISTANT and not is_copied(message):
            return episode.messages[:index]
    return episode.messages


def is_copied(message: Message) -> bool:
    """Whether a message is context copied from another episode, as trajectories in ATIF say."""
    return message.extra is not None and message.extra.get(COPIED) is True


def prompt_key(episode: Episode) -> str:
    """Return a hash of the prompt: tools and all messages before the first one of the assistant.

    Two episodes with the same key were shown the same. Numbers of steps, ids of calls, the order of
    keys in definitions and whatever else is not shown to the model play no part.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> first = Episode("a", (Message(Role.USER, "Hi", step=0), Message(Role.ASSISTANT, "Hello")))
    >>> second = Episode("b", (Message(Role.USER, "Hi", step=7),))
    >>> prompt_key(first) == prompt_key(second)
    True
    """
    shown = [shown_of(message) for message in prompt_of(episode)]
    text = json_bytes([shown, list(episode.tools or ())], sort_keys=True)
    return hashlib.sha256(text).hexdigest()[:_HEX_DIGITS]


def shown_of(message: Message) -> JsonObject:
    """Return what a model is shown of a message: ids of calls differ from run to run."""
    chat = message.as_chat()
    chat.pop("tool_call_id", None)
    for call in chat.get("tool_calls", ()):
        call.pop("id", None)
    return chat
