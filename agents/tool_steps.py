"""Ties every call of a tool to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import Message, Role, ToolCall


@dataclass(slots=True)
class ToolStep:
    """A call of a tool and what came of it.

    ``index`` is the place of the message that holds the call. ``step`` is the number that the trace
    gives to the call or to its message, else that place. ``key`` is the same text for two calls of
    the same tool with equal arguments. ``result`` and its place, ``result_index``, are None for a
    call that was never answered.
    """

    call: ToolCall
    index: int
    step: int
    key: str
    result: Message | None = None
    result_index: int | None = None


def tool_steps(messages: Sequence[Message]) -> tuple[ToolStep, ...]:
    """Return the calls in order, each with its result.

    A result belongs to the call whose id it names. One without an id belongs to the first
    unanswered call of the last turn of the assistant, of the tool that the result names if any.

    >>> found = ToolCall("find", {"x": 1, "y": 2}, id="b")
    >>> calls = Message(Role.ASSISTANT, None, (ToolCall("add", {}, id="a"), found))
    >>> results = Message(Role.TOOL, "2", tool_call_id="b"), Message(Role.TOOL, "1")
    >>> [(step.key, step.result.content) for step in tool_steps([calls, *results])]
    [('add {}', '1'), ('find {"x":1,"y":2}', '2')]
    """
    steps: list[ToolStep] = []
    waiting: list[ToolStep] = []
    by_id: dict[str, ToolStep] = {}
    answered = False
    for index, message in enumerate(messages):
        if message.tool_calls:
            if answered:
                waiting.clear()
                answered = False
            for call in message.tool_calls:
                step = ToolStep(call, index, _number(message, call, index), call_key(call))
                steps.append(step)
                waiting.append(step)
                if call.id is not None:
                    by_id[call.id] = step
        elif message.role is Role.TOOL:
            answered = True
            asked = _asked(message, waiting, by_id)
            if asked is not None:
                asked.result, asked.result_index = message, index
    return tuple(steps)


def call_key(call: ToolCall) -> str:
    """Return a text that two calls share if they name the same tool with equal arguments."""
    if call.unparsed is not None:
        return f"{call.name} {call.unparsed.strip()}"
    return f"{call.name} {json_bytes(call.arguments, sort_keys=True).decode()}"


def _number(message: Message, call: ToolCall, index: int) -> int:
    if call.step is not None:
        return call.step
    return index if message.step is None else message.step


def _asked(result: Message, waiting: list[ToolStep], by_id: dict[str, ToolStep]) -> ToolStep | None:
    if result.tool_call_id is not None:
        step = by_id.pop(result.tool_call_id, None)
    else:
        unanswered = (step for step in waiting if step.result is None)
        step = next((each for each in unanswered if result.name in {None, each.call.name}), None)
    return step
