"""Reads what stands beside a list of messages: task, outcome, cost, tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.prompt_key import COPIED
from post_training_toolkit.agents.readers.content import as_text, parse_tools
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    read_message,
    tied,
)

# By which names people keep the same thing, the most telling first.
_IDS = ("episode_id", "id", "run_id", "trajectory_id", "traj_id", "conversation_id", "session_id")
_TASKS = ("task_id", "instance_id", "problem_id", "question_id", "prompt_id", "task")
_TRIALS = ("trial", "attempt", "epoch", "sample_id", "rollout")
_SUCCESSES = ("success", "resolved", "is_correct", "correct", "passed", "solved", "win")
_REWARDS = ("reward", "score", "final_reward")
_KINDS = ("prompt_type", "task_type", "category", "domain")
_ENDS = ("end_reason", "termination_reason", "exit_status", "stop_reason", "finish_reason")
_COSTS = ("cost", "total_cost", "agent_cost")
_MODELS = ("model", "model_name")
_TOOLS = ("tools", "functions")
_KNOWN = {
    *(
        "messages",
        "metadata",
        "usage",
        "system",
        "ended",
        "unread_lines",
        *_MODELS,
        *_TOOLS,
        *_COSTS,
    ),
    *(*_IDS, *_TASKS, *_TRIALS, *_SUCCESSES, *_REWARDS, *_KINDS, *_ENDS),
}


def read_chat(values: Sequence[Any]) -> tuple[Message, ...]:
    """Return the messages of a list; raise ``MessageError`` that says which is none.

    >>> read_chat([{"role": "user", "content": "Hi"}, {"content": "Hello"}])
    Traceback (most recent call last):
        ...
    post_training_toolkit.agents.readers.provider_message.MessageError: message 2: a message \
without a role
    """
    messages: list[Message] = []
    for number, value in enumerate(values, start=1):
        try:
            found = read_message(value)
        except MessageError as error:
            raise MessageError(f"message {number}: {error}") from None
        if isinstance(value, Mapping) and value.get(COPIED) is True:
            found = [replace(each, extra={**(each.extra or {}), COPIED: True}) for each in found]
        for message in found:
            messages.append(tied(message, messages[-1] if messages else None))
    return tuple(messages)


def episode_from_messages(
    messages: Sequence[Any],
    beside: Mapping[str, Any] | None = None,
    *,
    episode_id: str,
    source: str = "",
    line: int | None = None,
    taken: Iterable[str] = (),
) -> Episode:
    """Return the episode of chat messages, with what is known of it ``beside`` them.

    Messages are those of OpenAI's chat API or of another provider. Recognised beside them are
    task_id, trial, success, reward, model, tools, usage, cost and other names of the same; the rest
    becomes ``metadata``, but for the keys that are ``taken``. ``episode_id`` is for records that
    have none of their own. Raises ``MessageError`` for what is no message.

    >>> episode = episode_from_messages(
    ...     [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}],
    ...     {"task_id": 7, "score": 1.0, "team": "blue"},
    ...     episode_id="e1",
    ... )
    >>> episode.task, episode.reward, episode.success, episode.metadata
    ('7', 1.0, None, {'team': 'blue'})
    """
    beside = beside or {}
    read = read_chat(messages)
    system = beside.get("system")
    if isinstance(system, str) and not any(message.role is Role.SYSTEM for message in read):
        read = (Message(Role.SYSTEM, system), *read)
    usage = beside.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return Episode(
        id=_word(beside, _IDS) or episode_id,
        messages=read,
        task=_word(beside, _TASKS),
        prompt_type=_word(beside, _KINDS),
        tools=next((parse_tools(beside[key]) for key in _TOOLS if beside.get(key)), None),
        model=_word(beside, _MODELS),
        trial=_trial(beside),
        success=_success(beside),
        reward=_number(beside, _REWARDS),
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cost=_number(beside, _COSTS),
        end_reason=_word(beside, _ENDS),
        ended=beside.get("ended") is not False,
        unread_lines=_numbers(beside.get("unread_lines")),
        metadata=_metadata(beside, {*_KNOWN, *taken}),
        source=source,
        line=line,
    )


def _metadata(beside: Mapping[str, Any], taken: set[str]) -> JsonObject:
    rest = {key: value for key, value in beside.items() if key not in taken}
    given = beside.get("metadata")
    return {**rest, **given} if isinstance(given, Mapping) else rest


def _word(beside: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    for key in keys:
        value = beside.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return as_text(value)
    return None


def _trial(beside: Mapping[str, Any]) -> int | str | None:
    found = (beside.get(key) for key in _TRIALS)
    return next(
        (each for each in found if isinstance(each, (int, str)) and not isinstance(each, bool)),
        None,
    )


def _success(beside: Mapping[str, Any]) -> bool | None:
    for key in _SUCCESSES:
        value = beside.get(key)
        if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
            return bool(value)
    return None


def _number(beside: Mapping[str, Any], keys: Iterable[str]) -> float | None:
    found = (beside.get(key) for key in keys)
    return next(
        (
            float(each)
            for each in found
            if isinstance(each, (int, float)) and not isinstance(each, bool)
        ),
        None,
    )


def _numbers(value: Any) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else ()
    return tuple(each for each in listed if isinstance(each, int))


def _count(usage: Mapping[str, Any], *keys: str) -> int | None:
    number = _number(usage, keys)
    return None if number is None or number != number // 1 else int(number)
