"""Reads chat messages as OpenAI's API has them: conversations, and requests with their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.content import as_text
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_LISTS = ("messages", "conversation", "conversations", "trajectory", "traj", "history", "dialog")
# Items of OpenAI's Responses API have a type in the place of a role.
_ITEMS = (
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "custom_tool_call",
    "custom_tool_call_output",
)


def recognises(sample: Sample) -> bool:
    """Whether a file holds lists of messages, with a role each, or is one."""
    if sample.records and all(map(_is_message, sample.records)):
        return True
    return any(_messages_of(record) is not None for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the conversations of a file: each row or list is one, messages alone are together."""
    bare: list[Any] = []
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
            continue
        value = record.value
        if _is_message(value) and _messages_of(value) is None:
            bare.append(value)
            continue
        messages = _messages_of(value)
        if messages is None:
            place = "" if record.line is not None else f"record {number}"
            yield file.problem(record.line, "no list of messages with a role each", place)
            continue
        yield _episode(file, messages, value, record.line, number)
    if bare:
        yield _episode(file, bare, {}, None, 1)


def _episode(
    file: TraceFile, messages: list[Any], value: Any, line: int | None, number: int
) -> Episode | TraceProblem:
    beside = dict(_beside(value))
    if isinstance(beside.get("id"), str) and beside["id"].startswith(("resp_", "chatcmpl-")):
        beside.setdefault("run_id", beside["id"])
    try:
        return episode_from_messages(
            messages,
            beside,
            episode_id=f"{file.path.stem}-{number}",
            source=file.name,
            line=line,
            taken=(
                *_LISTS,
                "prompt",
                "completion",
                "input",
                "output",
                "request",
                "response",
                "choices",
                "instructions",
            ),
        )
    except MessageError as error:
        return file.problem(line, str(error), "" if line is not None else f"record {number}")


def _beside(value: Any) -> Mapping[str, Any]:
    """Return what stands beside the messages, those of a request and its answer included."""
    if not isinstance(value, Mapping):
        return {}
    inner = [value[key] for key in ("request", "response") if isinstance(value.get(key), Mapping)]
    beside: dict[str, Any] = {}
    for each in (*inner, value):
        beside |= each
    if isinstance(value.get("instructions"), str):
        beside["system"] = value["instructions"]
    return beside


def _messages_of(value: Any) -> list[Any] | None:
    """Return the messages of a record, answers of the model included; None where it has none."""
    if isinstance(value, list):
        return value if value and all(map(_is_message, value)) else None
    if not isinstance(value, Mapping):
        return None
    request = value.get("request", value)
    response = value.get("response", value)
    for key in _LISTS:
        messages = request.get(key) if isinstance(request, Mapping) else None
        if isinstance(messages, list) and messages and all(map(_is_message, messages)):
            return [*messages, *_answers(response)]
    prompt, completion = value.get("prompt"), value.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        rows = [*prompt, *completion]
        return rows if rows and all(map(_is_message, rows)) else None
    if isinstance(request, Mapping) and isinstance(response, Mapping):
        return _response_items(request, response)
    return None


def _answers(response: Any) -> list[Any]:
    """Return the message that a chat completion answered with."""
    choices = response.get("choices") if isinstance(response, Mapping) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return [choices[0]] if isinstance(choices[0].get("message"), Mapping) else []
    return []


def _response_items(request: Mapping[str, Any], response: Mapping[str, Any]) -> list[Any] | None:
    """Return the items of a call of OpenAI's Responses API: ``input``, maybe text, ``output``."""
    asked, said = request.get("input"), response.get("output")
    if isinstance(asked, str) and asked:
        asked = [{"role": "user", "content": as_text(asked)}]
    items = [
        *(asked if isinstance(asked, list) else ()),
        *(said if isinstance(said, list) else ()),
    ]
    return items if items and all(map(_is_message, items)) else None


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    if "role" in value:
        # Whatever the role: an unknown one is told with its place.
        return isinstance(value["role"], str) and not {"episode_id", "from"} & value.keys()
    return value.get("type") in _ITEMS


FORMAT = TraceFormat("openai-chat", "OpenAI chat messages and Responses items", recognises, read)
