"""Tells episodes apart by what the model was shown before its first answer."""

from __future__ import annotations

import hashlib

import orjson

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role

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
    return message.extra is not None and message.extra.get("is_copied_context") is True


def prompt_key(episode: Episode) -> str:
    """Return a hash of the prompt: tools and all messages before the first one of the assistant.

    Two episodes with the same key were given the same text by any chat template. Numbers of steps,
    ids and whatever else is not shown to the model play no part.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> first = Episode("a", (Message(Role.USER, "Hi", step=0), Message(Role.ASSISTANT, "Hello")))
    >>> second = Episode("b", (Message(Role.USER, "Hi", step=7),))
    >>> prompt_key(first) == prompt_key(second)
    True
    """
    shown: list[JsonObject] = [message.as_chat() for message in prompt_of(episode)]
    text = orjson.dumps([shown, episode.tools or ()], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:_HEX_DIGITS]
