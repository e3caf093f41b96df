"""Reads conversations whose messages are lists of typed parts with a ``value`` (LLaMA-Factory)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.content import parse_arguments
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat


def recognises(sample: Sample) -> bool:
    """Whether a file holds messages whose parts have a type and a value."""
    return any(_is_row(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield each conversation."""
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
            continue
        place = "" if record.line is not None else f"record {number}"
        messages = record.value.get("messages") if isinstance(record.value, Mapping) else None
        if not isinstance(messages, list):
            yield file.problem(record.line, "no list of messages", place)
            continue
        try:
            yield episode_from_messages(
                [_plain(message) for message in messages],
                record.value,
                episode_id=f"{file.path.stem}-{number}",
                source=file.name,
                line=record.line,
            )
        except MessageError as error:
            yield file.problem(record.line, str(error), place)


def _plain(message: Any) -> Any:
    """Return a message with its values under the names that they have elsewhere."""
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), list):
        return message
    parts = [_part(part) for part in message["content"]]
    if message.get("role") == "tool":
        return {"role": "tool", "content": [part for part in parts if part is not None]}
    return {**message, "content": parts}


def _part(part: Any) -> Any:
    if not isinstance(part, Mapping) or "value" not in part:
        return part
    value = part["value"]
    if part.get("type") == "tool_call":
        call, unparsed = parse_arguments(value)
        known = {"name": "", "arguments": unparsed} if unparsed is not None else call
        return {"type": "tool_call", **known}
    return {"type": part.get("type"), "text": value}


def _is_row(record: Any) -> bool:
    messages = record.get("messages") if isinstance(record, Mapping) else None
    if not isinstance(messages, list):
        return False
    contents = [message.get("content") for message in messages if isinstance(message, Mapping)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(part, Mapping) and {"type", "value"} <= part.keys() for part in parts)


FORMAT = TraceFormat("typed-parts", "messages of typed parts (LLaMA-Factory)", recognises, read)
