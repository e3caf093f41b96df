"""Reads logs of Anthropic's messages API: requests with their answers, or conversations.

A request is ``{model, system, tools, messages}``, at the top or under a key such as ``request`` or
``params``, and its answer ``{role, content, usage, stop_reason}`` under one such as ``response``.
Each request repeats what was said before, so a request that begins with all of an earlier one is
its continuation, and both are one episode.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.anthropic_message import read_anthropic_message
from post_training_toolkit.agents.readers.content import flatten_content, parse_tools
from post_training_toolkit.agents.readers.conversation import MessageKey, message_key
from post_training_toolkit.agents.readers.judgement import reward_of, success_of
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_REQUESTS = ("request", "request_body", "params", "body", "kwargs", "input")
_ANSWERS = ("response", "response_body", "result", "output", "completion", "message")
_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use")
_IDS = ("custom_id", "conversation_id", "session_id", "request_id", "id")
_READ = ("messages", "system", "tools", "model", "success", "reward", "content", "role", "usage")
# Conversations that may still go on; those beyond are given out, the oldest first.
_MOST_HELD = 1000


def recognises(sample: Sample) -> bool:
    """Whether one of the first records is a request or an answer that only this API has."""
    return any(isinstance(record, Mapping) and _is_known(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield conversations, each when it is known to go on no further, or at the end."""
    held: OrderedDict[tuple[MessageKey, ...], Episode] = OrderedDict()
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
            continue
        place = "" if record.line is not None else f"record {number}"
        if not isinstance(record.value, Mapping):
            yield file.problem(record.line, "a record is an object", place)
            continue
        exchange = _exchange(record.value)
        yield from (file.problem(record.line, wrong, place) for wrong in exchange.problems)
        if not exchange.messages:
            if not exchange.problems:
                yield file.problem(record.line, "neither messages nor an answer", place)
            continue
        episode = _episode(file, exchange, record.line, number)
        keys = tuple(map(message_key, episode.messages))
        earlier = _continued(held, keys)
        if earlier is not None:
            episode = _joined(earlier, episode)
        if keys in held:
            yield held.pop(keys)
        held[keys] = episode
        if len(held) > _MOST_HELD:
            yield held.popitem(last=False)[1]
    yield from held.values()


FORMAT = TraceFormat(
    name="anthropic-messages",
    title="requests and answers of Anthropic's messages API",
    recognises=recognises,
    read=read,
)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request and its answer, the messages of both, and what in them cannot be read."""

    record: Mapping[str, Any]
    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    messages: tuple[Message, ...]
    problems: tuple[str, ...]


def _is_known(record: Mapping[str, Any]) -> bool:
    request, answer = _request(record), _answer(record)
    if _is_answer(answer):
        return True
    messages, tools = request.get("messages"), request.get("tools")
    if not isinstance(messages, list):
        return False
    offered = (
        [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    )
    blocks = (
        block
        for message in messages
        if isinstance(message, Mapping) and isinstance(message.get("content"), list)
        for block in message["content"]
        if isinstance(block, Mapping)
    )
    return (
        any("input_schema" in tool for tool in offered)
        or any(block.get("type") in _BLOCKS for block in blocks)
        or ("system" in request and "max_tokens" in request)
    )


def _is_answer(value: Mapping[str, Any]) -> bool:
    return (
        value.get("type") == "message"
        and value.get("role") == "assistant"
        and isinstance(value.get("content"), list)
        and "usage" in value
    )


def _request(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a record that has the messages, empty where none has."""
    if isinstance(record.get("messages"), list):
        return record
    inside = (record.get(key) for key in _REQUESTS)
    return next(
        (
            each
            for each in inside
            if isinstance(each, Mapping) and isinstance(each.get("messages"), list)
        ),
        {},
    )


def _answer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer in a record, empty where it has none; a batch wraps it once more."""
    for value in (record, *(record.get(key) for key in _ANSWERS)):
        inner = value.get("message") if isinstance(value, Mapping) else None
        for each in (value, inner):
            if (
                isinstance(each, Mapping)
                and each.get("role") == "assistant"
                and isinstance(each.get("content"), (list, str))
            ):
                return each
    return {}


def _exchange(record: Mapping[str, Any]) -> _Exchange:
    request, answer = _request(record), _answer(record)
    logged = request.get("messages", [])
    messages: list[Message] = []
    problems: list[str] = []
    for place, value in [*((f"messages[{at}]", each) for at, each in enumerate(logged))] + (
        [("answer", answer)] if answer else []
    ):
        try:
            messages += read_anthropic_message(value)
        except MessageError as error:
            problems.append(f"{place}: {error}")
    system, left_out = flatten_content(request.get("system"))
    if messages and system:
        messages.insert(0, Message(Role.SYSTEM, system, left_out=left_out))
    return _Exchange(record, request, answer, tuple(messages), tuple(problems))


def _episode(file: TraceFile, exchange: _Exchange, line: int | None, number: int) -> Episode:
    record, request, answer = exchange.record, exchange.request, exchange.answer
    ids = (each.get(key) for key in _IDS for each in (record, answer))
    models = (each.get("model") for each in (answer, request))
    last = exchange.messages[-1]
    logged = record.get("metadata")
    scores = {**(logged if isinstance(logged, Mapping) else {}), **record}
    return Episode(
        id=next((each for each in ids if isinstance(each, str) and each), f"record-{number}"),
        messages=exchange.messages,
        tools=parse_tools(request.get("tools")) or None,
        model=next((each for each in models if isinstance(each, str)), None),
        success=success_of(scores),
        reward=reward_of(scores),
        end_reason=last.model_call.finish_reason if last.model_call else None,
        ended=last.role is Role.ASSISTANT and not last.tool_calls,
        metadata=_metadata(exchange),
        source=file.name,
        line=line,
        **_spent(exchange.messages),
    )


def _metadata(exchange: _Exchange) -> JsonObject:
    """Return what a record says besides the request and its answer."""
    return {
        key: value
        for key, value in exchange.record.items()
        if key not in _READ and value is not exchange.request and not _holds(value, exchange.answer)
    }


def _holds(value: Any, answer: Mapping[str, Any]) -> bool:
    inner = value.get("message") if isinstance(value, Mapping) else None
    return bool(answer) and (value is answer or inner is answer)


def _continued(
    held: OrderedDict[tuple[MessageKey, ...], Episode], keys: tuple[MessageKey, ...]
) -> Episode | None:
    """Take the longest conversation that messages begin with out of those that are held."""
    for length in range(len(keys) - 1, 0, -1):
        if keys[:length] in held:
            return held.pop(keys[:length])
    return None


def _joined(earlier: Episode, episode: Episode) -> Episode:
    """Return an episode with the earlier part as it was logged when it was new."""
    messages = (*earlier.messages, *episode.messages[len(earlier.messages) :])
    return replace(
        episode,
        id=earlier.id,
        messages=messages,
        metadata={**earlier.metadata, **episode.metadata},
        line=earlier.line,
        **_spent(messages),
    )


def _spent(messages: tuple[Message, ...]) -> dict[str, Any]:
    calls = [each.model_call for each in messages if each.model_call is not None]
    return {field: _total(calls, field) for field in ("prompt_tokens", "completion_tokens")}


def _total(calls: list[ModelCall], field: str) -> int | None:
    counted = [found for call in calls if (found := getattr(call, field)) is not None]
    return sum(counted) if counted else None
