"""A prompt that a model is asked at every snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PromptKind(StrEnum):
    """What a good model does with a prompt.

    It answers benign ones, and borderline ones, which only sound harmful; it refuses harmful ones.
    Nothing is expected of other ones.
    """

    BENIGN = "benign"
    BORDERLINE = "borderline"
    HARMFUL = "harmful"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation to be answered, or a text to be continued as it is.

    ``messages`` is empty where ``text`` is given, and ``text`` None where messages are. Of prompts
    that are ``sampled``, several answers are drawn beside the greedy one.
    """

    id: str
    kind: PromptKind
    messages: tuple[Message, ...] = ()
    text: str | None = None
    sampled: bool = False

    @property
    def shown(self) -> str:
        """The prompt as people read it: the text, or the messages, roles named if several."""
        if self.text is not None:
            return self.text
        if len(self.messages) == 1:
            return self.messages[0].content
        return "\n".join(f"{each.role}: {each.content}" for each in self.messages)
