"""Cuts an episode into the prompt and what the agent made of it, as chat messages."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.prompt_key import prompt_of


def prompt_and_completion(episode: Episode) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """Return the messages before the first answer, and the rest up to the last answer.

    What users and tools say behind the last answer is left out: there is nothing to learn from it.
    """
    prompt = prompt_of(episode)
    rest = episode.messages[len(prompt) :]
    last = max(place for place, message in enumerate(rest) if message.role is Role.ASSISTANT)
    return prompt, rest[: last + 1]


def chat_of(messages: Sequence[Message]) -> list[JsonObject]:
    """Return messages as chat templates take them."""
    return [message.as_chat() for message in messages]


def content_key(messages: Sequence[Message]) -> bytes:
    """Return what is the same for two conversations whose texts are; ids of calls play no part."""
    return orjson.dumps([_without_ids(message) for message in messages], default=str)


def _without_ids(message: Message) -> JsonObject:
    chat = message.as_chat()
    chat.pop("tool_call_id", None)
    for call in chat.get("tool_calls", ()):
        call.pop("id", None)
    return chat


def tools_of(episode: Episode) -> list[JsonObject] | None:
    """Return the tools on offer as a column holds them; None where there were none."""
    return list(episode.tools) if episode.tools else None


SAID_BEFORE = "another episode says the same"


class Said:
    """Remembers what was said behind each prompt, and how it was judged."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def before(self, key: str, completion: Sequence[Message], judged: bool | None = None) -> bool:
        """Whether the same was said before; it is now."""
        # A hash of 64 bits takes a tenth of the memory of the text.
        said = hash((key, content_key(completion), judged))
        if said in self._seen:
            return True
        self._seen.add(said)
        return False


def text_length(chat: Sequence[JsonObject], *, of_tools: bool = False) -> int:
    """Return the characters of all messages of a chat but tools' answers, or of these alone."""
    return sum(
        len(message["content"])
        + sum(len(str(call["function"]["arguments"])) for call in message.get("tool_calls", ()))
        for message in chat
        if (message["role"] == "tool") is of_tools
    )
