"""Cuts an episode into the prompt and what the agent made of it, as chat messages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.prompt_key import prompt_of, shown_of


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
    """Return a digest that two conversations share if they say the same; ids play no part."""
    text = json_bytes([shown_of(message) for message in messages])
    return hashlib.sha256(text).digest()


def tools_of(episode: Episode) -> list[JsonObject] | None:
    """Return the tools on offer as a column holds them; None where there were none."""
    return list(episode.tools) if episode.tools else None


_COMPLETIONS = ("chosen", "rejected", "completion")


def conversations_in(row: JsonObject) -> list[list[JsonObject]]:
    """Return each whole conversation in a row of a data set; of a prompt alone, the prompt.

    Raises ``ValueError`` for a row without messages.
    """
    if row.get("messages"):
        return [row["messages"]]
    if not row.get("prompt"):
        raise ValueError(
            f"the data set has the columns {', '.join(row)}; expected messages, or prompt (with "
            "chosen and rejected, or with completion)"
        )
    return [row["prompt"] + row[side] for side in _COMPLETIONS if row.get(side)] or [row["prompt"]]


SAID_BEFORE = "another episode says the same"


class Said:
    """Remembers what was said behind each prompt, and how it was judged."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def other_judgement(self, key: str, completion: Sequence[Message], judged: bool) -> bool:
        """Whether the same was said before and judged the other way."""
        return hash((key, content_key(completion), not judged)) in self._seen

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
