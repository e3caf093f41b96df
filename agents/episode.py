"""An episode: one attempt of an agent at a task, with what is known of how it went."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, Role, ToolCall
from post_training_toolkit.agents.repetition import has_repeated_pattern


@dataclass(frozen=True, slots=True)
class Episode:
    """One attempt at a task; None everywhere means that the trace does not say.

    ``task`` names what was attempted, so that several attempts can be compared, and ``trial`` which
    attempt it is; ``prompt_type`` is the kind of task. ``tools`` are JSON schemas of the tools on
    offer, each ``{"type": "function", "function": {"name", "description", "parameters"}}``.
    ``success`` is None for an attempt that nobody judged, which is not a failure. ``cost`` is in US
    dollars. ``end_reason`` is the trace's own word for why it ended; ``ended`` is False where the
    record breaks off, and ``end_step`` is the number that the trace gives to the end.
    ``unread_lines`` are those of its lines that were skipped because they could not be read.
    ``source`` and ``line`` say where it was read. ``metadata`` is what else the trace says of it.
    """

    id: str
    messages: tuple[Message, ...]
    task: str | None = None
    prompt_type: str | None = None
    tools: tuple[JsonObject, ...] | None = None
    model: str | None = None
    trial: int | str | None = None
    success: bool | None = None
    reward: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    end_reason: str | None = None
    ended: bool = True
    end_step: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    unread_lines: tuple[int, ...] = ()
    source: str = ""
    line: int | None = None

    @property
    def system(self) -> str | None:
        """The text of the system message that opens the episode."""
        first = self.messages[0] if self.messages else None
        return first.content if first is not None and first.role is Role.SYSTEM else None

    @property
    def tool_calls(self) -> Iterator[ToolCall]:
        """Every call of a tool, in order."""
        return (call for message in self.messages for call in message.tool_calls)

    @property
    def total_steps(self) -> int:
        """How often the agent acted: each call of a tool, and each answer without one.

        >>> calls = Message(Role.ASSISTANT, "I see", (ToolCall("look", {}), ToolCall("go", {})))
        >>> Episode("e", (Message(Role.USER, "?"), calls, Message(Role.ASSISTANT))).total_steps
        3
        """
        return sum(
            max(len(message.tool_calls), 1)
            for message in self.messages
            if message.role is Role.ASSISTANT
        )

    @property
    def final_answer(self) -> str | None:
        """The text of the last message, if the agent wrote it and called no tool with it."""
        last = self.messages[-1] if self.messages else None
        if last is None or last.role is not Role.ASSISTANT or last.tool_calls:
            return None
        return last.content

    def has_repeated_tool_pattern(
        self, repeats: int = 3, *, waiting_tools: Collection[str] = ()
    ) -> bool:
        """Whether the agent did the same thing over and over, which is a loop.

        That is the same call with the same arguments and the same result, or a cycle of two to four
        such calls, ``repeats`` times. ``waiting_tools`` may be asked again and again, such as one
        that polls a build.
        """
        return has_repeated_pattern(
            self.messages, repeats=repeats, waiting_tools=frozenset(waiting_tools)
        )
