"""What a stream of events of OpenHands tells, filled by the readers of its two generations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.message import JsonObject, Message, Role, ToolCall


@dataclass(slots=True)
class EventLog:
    """The messages of a stream of events, and what else it says of the run.

    ``left_out`` counts by kind the events that are no part of the conversation; ``problems`` are
    those that could not be read, each with its place in the stream.
    """

    messages: list[Message] = field(default_factory=list)
    tools: tuple[JsonObject, ...] | None = None
    model: str | None = None
    end_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[int, str]] = field(default_factory=list)
    answer: str | None = None

    def add(self, message: Message) -> None:
        """Add a message, which ends the answer of the model before it."""
        self.messages.append(message)
        self.answer = None

    def add_call(self, call: ToolCall, message: Message, answer: str | None) -> None:
        """Add a call to the answer of the model that it belongs to; ``answer`` is its id.

        A call in an answer that is already there joins it: parallel calls are one message, with the
        results behind it.
        """
        if answer is None or answer != self.answer:
            self.messages.append(replace(message, tool_calls=(call,)))
            self.answer = answer
            return
        at = max(at for at, each in enumerate(self.messages) if each.role is Role.ASSISTANT)
        before = self.messages[at]
        if call.id is None or all(call.id != each.id for each in before.tool_calls):
            self.messages[at] = replace(before, tool_calls=(*before.tool_calls, call))

    def add_result(self, message: Message) -> None:
        """Add the result of a tool; the answer that called it may go on with more calls."""
        self.messages.append(message)


def event_kind(event: Any) -> str | None:
    """Return what an event of either generation is, None for a value that is no event.

    >>> event_kind({"kind": "ActionEvent"}), event_kind({"action": "run"}), event_kind({"a": 1})
    ('ActionEvent', 'run', None)
    """
    if not isinstance(event, Mapping):
        return None
    kinds = (event.get(key) for key in ("kind", "action", "observation"))
    return next((kind for kind in kinds if isinstance(kind, str)), None)
