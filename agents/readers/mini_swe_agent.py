"""Reads trajectories of mini-swe-agent: a bare list of messages, or an object around one.

The first versions log only the messages, and the commands stand in their texts; later ones put
``info`` and ``trajectory_format`` beside them, use tool calls and end with a message of the role
``exit``. Whether the task was solved is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    read_message,
    read_messages,
)
from post_training_toolkit.agents.readers.records import Record, TraceFile
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_PREFIX = "mini-swe-agent"
# What the first version puts around a command and around what it printed.
_MARKS = ("```mswea_bash_command", "<returncode>")


def recognises(sample: Sample) -> bool:
    """Whether a file holds trajectories of mini-swe-agent."""
    if sample.is_list and all(_is_bare(record) for record in sample.records):
        texts = [str(record.get("content")) for record in sample.records]
        return any(mark in text for text in texts for mark in _MARKS)
    return any(_is_trajectory(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of a file: each object is one, and a list of messages is one."""
    bare: list[Any] = []
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
        elif _is_trajectory(record.value):
            yield from _episode(file, record)
        elif record.line is None:
            bare.append(record.value)
        else:
            yield file.problem(record.line, "no trajectory: it needs a list of messages")
    if bare:
        yield from _episode(file, Record({"messages": bare}, None))


FORMAT = TraceFormat(
    name="mini-swe-agent",
    title="mini-swe-agent trajectories (.traj.json)",
    recognises=recognises,
    read=read,
)


def _is_bare(record: Any) -> bool:
    return isinstance(record, Mapping) and {"role", "content"} <= set(record)


def _is_trajectory(record: Any) -> bool:
    if not isinstance(record, Mapping) or not isinstance(record.get("messages"), list):
        return False
    named = str(record.get("trajectory_format")).startswith(_PREFIX)
    return named or look_up(record, "info.mini_version") is not None


def _episode(file: TraceFile, record: Record) -> Iterator[Episode | TraceProblem]:
    trajectory = record.value
    messages: list[Message] = []
    for at, item in enumerate(trajectory["messages"]):
        try:
            messages += _messages(item)
        except MessageError as error:
            yield file.problem(record.line, str(error), f"messages[{at}]")
    if not messages:
        yield file.problem(record.line, "no message of the trajectory can be read")
        return
    info = trajectory.get("info")
    info = info if isinstance(info, Mapping) else {}
    reason = info.get("exit_status")
    name = trajectory.get("instance_id")
    model = look_up(info, "config.model.model_name")
    yield Episode(
        id=_name(file),
        messages=tuple(messages),
        task=name if isinstance(name, str) else _name(file),
        model=model if isinstance(model, str) else None,
        prompt_tokens=_total(messages, "prompt_tokens"),
        completion_tokens=_total(messages, "completion_tokens"),
        cost=number(info, "model_stats.instance_cost") or None,
        end_reason=reason if isinstance(reason, str) and reason else None,
        ended=not info or bool(reason),
        metadata={
            key: info[key] for key in ("submission", "mini_version") if info.get(key) is not None
        },
        source=file.name,
        line=record.line,
    )


def _messages(item: Any) -> list[Message]:
    """Return the messages of a logged one; the end of the run is none."""
    if not isinstance(item, Mapping):
        raise MessageError("a message is an object")
    if item.get("role") == "exit":
        return []
    extra = item.get("extra")
    extra = extra if isinstance(extra, Mapping) else {}
    if item.get("object") == "response" and isinstance(item.get("output"), list):
        found = _joined(read_messages(item["output"]))
    else:
        found = read_message(item)
    call = ModelCall(
        prompt_tokens=count(extra, "response.usage.prompt_tokens", "response.usage.input_tokens"),
        completion_tokens=count(
            extra, "response.usage.completion_tokens", "response.usage.output_tokens"
        ),
        cost=number(extra, "cost"),
    )
    return [_completed(message, call, extra) for message in found]


def _joined(messages: tuple[Message, ...]) -> list[Message]:
    """Return the items of one answer of the Responses API as one message."""
    texts = [message.content for message in messages if message.content]
    thoughts = [message.reasoning for message in messages if message.reasoning]
    return [
        Message(
            Role.ASSISTANT,
            "\n".join(texts) if texts else None,
            tuple(call for message in messages for call in message.tool_calls),
            reasoning="\n".join(thoughts) if thoughts else None,
        )
    ]


def _completed(message: Message, call: ModelCall, extra: Mapping[str, Any]) -> Message:
    if message.role is Role.ASSISTANT and call != ModelCall():
        reason = message.model_call.finish_reason if message.model_call is not None else None
        return replace(message, model_call=replace(call, finish_reason=reason))
    code = extra.get("returncode")
    if message.role is Role.TOOL and isinstance(code, int):
        return replace(message, failed=code != 0)
    return message


def _total(messages: list[Message], field: str) -> int | None:
    calls = [each.model_call for each in messages if each.model_call is not None]
    known = [tokens for call in calls if (tokens := getattr(call, field)) is not None]
    return sum(known) if known else None


def _name(file: TraceFile) -> str:
    return file.path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".traj")
