"""Reads conversations of ShareGPT with tools, and those of Hermes, whose calls stand in tags.

Glaive's and xLAM's data sets come in this shape, and what LLaMA-Factory trains on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role, ToolCall
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.content import as_text, parse_arguments
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat
from post_training_toolkit.engine.readers.json_text import parse_json

_ROLES = {
    "system": Role.SYSTEM,
    "human": Role.USER,
    "user": Role.USER,
    "gpt": Role.ASSISTANT,
    "assistant": Role.ASSISTANT,
    "function_call": Role.ASSISTANT,
    "tool_call": Role.ASSISTANT,
    "observation": Role.TOOL,
    "function_response": Role.TOOL,
    "tool": Role.TOOL,
}
_CALLS = ("function_call", "tool_call")
_TAGGED_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_TAGGED_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_THOUGHTS = re.compile(r"\A\s*<think>\s*(.*?)\s*</think>\s*", re.DOTALL)
_TAGGED_TOOLS = re.compile(r"<tools>\s*(.*?)\s*</tools>", re.DOTALL)


def recognises(sample: Sample) -> bool:
    """Whether a file holds conversations whose turns say whom they are from."""
    return any(_is_conversation(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield each conversation; calls in ``<tool_call>`` tags become calls of the message."""
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
            continue
        place = "" if record.line is not None else f"record {number}"
        if not _is_conversation(record.value):
            yield file.problem(record.line, "no list of conversations with from and value", place)
            continue
        try:
            yield _episode(file, record.value, record.line, number)
        except MessageError as error:
            yield file.problem(record.line, str(error), place)


def _episode(file: TraceFile, row: Mapping[str, Any], line: int | None, number: int) -> Episode:
    messages: list[Message] = []
    for place, turn in enumerate(row["conversations"], start=1):
        messages += _turn(turn, place)
    beside = dict(row)
    if isinstance(row.get("completed"), bool):  # Hermes Agent says so of each of its runs
        beside.setdefault("end_reason", "completed" if row["completed"] else "not completed")
    if not beside.get("tools") and (tools := _tools_in(messages)) is not None:
        beside["tools"] = tools
    known = episode_from_messages(
        (),
        beside,
        episode_id=f"{file.path.stem}-{number}",
        source=file.name,
        line=line,
        taken=("conversations",),
    )
    return replace(known, messages=(*known.messages, *_tied(_joined(messages))))


def _turn(turn: Any, place: int) -> list[Message]:
    if not isinstance(turn, Mapping):
        raise MessageError(f"turn {place} is no object with from and value")
    speaker, value = turn.get("from"), turn.get("value")
    role = _ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise MessageError(f"turn {place}: no role {speaker!r}; there are {', '.join(_ROLES)}")
    text = None if value is None else as_text(value)
    if speaker in _CALLS:
        return [Message(role, tool_calls=tuple(_calls(text or "")))]
    if role is Role.ASSISTANT:
        return [_answer(text or "")]
    if role is Role.TOOL:
        results = _TAGGED_RESULT.findall(text or "") or [text]
        return [Message(role, result) for result in results]
    return [Message(role, text)]


def _answer(text: str) -> Message:
    """Return what the model said: its thoughts, its words and its calls, which stand in tags."""
    thoughts = _THOUGHTS.match(text)
    if thoughts is not None:
        text = text[thoughts.end() :]
    calls = [call for inside in _TAGGED_CALL.findall(text) for call in _calls(inside)]
    said = _TAGGED_CALL.sub("", text).strip() if calls else text
    return Message(
        Role.ASSISTANT,
        said or None,
        tuple(calls),
        reasoning=None if thoughts is None else thoughts[1],
    )


def _calls(text: str) -> Iterator[ToolCall]:
    """Yield the calls that a text holds: one object, a list of them, or none that can be parsed."""
    try:
        value = parse_json(text)
    except ValueError:
        yield ToolCall("", {}, unparsed=text)
        return
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
            yield ToolCall("", {}, unparsed=as_text(each))
            continue
        arguments, unparsed = parse_arguments(each.get("arguments", each.get("parameters")))
        yield ToolCall(each["name"], arguments, unparsed=unparsed)


def _joined(messages: Sequence[Message]) -> Iterator[Message]:
    """Yield the messages, with calls that stand behind an answer or each other in one of them."""
    last: Message | None = None
    for message in messages:
        calls_only = message.role is Role.ASSISTANT and message.content is None
        if last is not None and calls_only and last.role is Role.ASSISTANT:
            last = Message(
                Role.ASSISTANT,
                last.content,
                (*last.tool_calls, *message.tool_calls),
                reasoning=last.reasoning,
            )
            continue
        if last is not None:
            yield last
        last = message
    if last is not None:
        yield last


def _tied(messages: Iterator[Message]) -> Iterator[Message]:
    """Yield the messages, with the names of the tools on their results, which come in order."""
    names: list[str] = []
    for message in messages:
        if message.tool_calls:
            names = [call.name for call in message.tool_calls]
        if message.role is Role.TOOL and names:
            message = Message(Role.TOOL, message.content, name=names.pop(0) or None)
        yield message


def _tools_in(messages: Sequence[Message]) -> Any:
    """Return the definitions that stand in tags in the system message of Hermes."""
    for message in messages:
        found = _TAGGED_TOOLS.search(message.content or "") if message.role is Role.SYSTEM else None
        if found is not None:
            try:
                tools = parse_json(found[1])
            except ValueError:
                return _one_a_line(found[1])
            return tools if isinstance(tools, list) else [tools]
    return None


def _one_a_line(text: str) -> list[JsonObject] | None:
    try:
        return [parse_json(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def _is_conversation(record: Any) -> bool:
    turns = record.get("conversations") if isinstance(record, Mapping) else None
    return (
        isinstance(turns, list)
        and bool(turns)
        and any(isinstance(turn, Mapping) and {"from", "value"} <= turn.keys() for turn in turns)
    )


FORMAT = TraceFormat(
    "sharegpt", "ShareGPT, Hermes and Glaive conversations with tools", recognises, read
)
