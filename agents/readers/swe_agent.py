"""Reads trajectories of SWE-agent (``.traj``): the history of messages, and how the run ended.

Whether the task was solved is not in the file but in the report of the evaluation. A model without
function calling writes its commands into its text, and they stay there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import (
    MessageError,
    from_json,
    read_message,
)
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

# What a history says of a message besides the message itself.
_KEPT = ("agent", "message_type", "is_demo", "action")


def recognises(sample: Sample) -> bool:
    """Whether a file holds a history of SWE-agent, or several attempts with one each."""
    return any(
        isinstance(record, Mapping) and any(map(_is_run, _runs(record)))
        for record in sample.records
    )


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the episode of each run in a file; each attempt of a retrying agent is one."""
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
            continue
        runs = _runs(record.value) if isinstance(record.value, Mapping) else []
        if not any(map(_is_run, runs)):
            yield file.problem(record.line, "no trajectory: it needs a history of messages")
            continue
        for trial, run in enumerate(runs, start=1):
            place = f"attempt {trial}" if len(runs) > 1 else ""
            yield from _episode(file, run, record.line, place, trial if len(runs) > 1 else None)


FORMAT = TraceFormat(
    name="swe-agent",
    title="SWE-agent trajectories (.traj)",
    recognises=recognises,
    read=read,
)


def _runs(record: Mapping[str, Any]) -> list[Any]:
    attempts = record.get("attempts")
    return attempts if isinstance(attempts, list) and attempts else [record]


def _is_run(run: Any) -> bool:
    history = run.get("history") if isinstance(run, Mapping) else None
    return (
        isinstance(history, list)
        and any(isinstance(item, Mapping) and "agent" in item for item in history[:3])
        and all("role" in item for item in history[:3] if isinstance(item, Mapping))
    )


def _episode(
    file: TraceFile, run: Any, line: int | None, place: str, trial: int | None
) -> Iterator[Episode | TraceProblem]:
    history = run.get("history") if isinstance(run, Mapping) else None
    if not isinstance(history, list) or not history:
        yield file.problem(line, "history is a list of messages", place)
        return
    messages: list[Message] = []
    for at, item in enumerate(history):
        try:
            messages += _messages(item)
        except MessageError as error:
            where = f"history[{at}]"
            yield file.problem(line, str(error), f"{place}: {where}" if place else where)
    if not messages:
        return
    messages += _last_step(run, messages)
    info = run.get("info")
    info = info if isinstance(info, Mapping) else {}
    reason = info.get("exit_status")
    name = file.path.name.removesuffix(".gz").removesuffix(".traj")
    yield Episode(
        id=name if trial is None else f"{name}/{trial}",
        messages=tuple(messages),
        task=name,
        trial=trial,
        model=_model(run),
        # A replay, and a model without a price, count 0, which says nothing.
        prompt_tokens=count(info, "model_stats.tokens_sent") or None,
        completion_tokens=count(info, "model_stats.tokens_received") or None,
        cost=number(info, "model_stats.instance_cost") or None,
        end_reason=reason if isinstance(reason, str) else None,
        ended=not info or reason is not None,
        metadata={
            key: value for key, value in info.items() if key not in ("exit_status", "model_stats")
        },
        source=file.name,
        line=line,
    )


def _messages(item: Any) -> list[Message]:
    if not isinstance(item, Mapping):
        raise MessageError("a message is an object")
    ids = item.get("tool_call_ids")
    answered = [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []
    # A thought repeats the text, and is no reasoning apart from it.
    logged = {key: value for key, value in item.items() if key != "thought"}
    if answered:
        logged["tool_call_id"] = answered[0]
    extra = {key: item[key] for key in _KEPT if item.get(key)}
    if len(answered) > 1:
        extra["tool_call_ids"] = answered
    return [replace(message, extra=extra or None) for message in read_message(logged)]


def _last_step(run: Mapping[str, Any], messages: list[Message]) -> list[Message]:
    """Return the answer by which the run ended, where the history stops before it."""
    logged = run.get("trajectory")
    steps = (
        [each for each in logged if isinstance(each, Mapping)] if isinstance(logged, list) else []
    )
    last = steps[-1] if steps else {}
    response = last.get("response")
    if not isinstance(response, str):
        return []
    spoke = [each for each in messages if each.role is Role.ASSISTANT]
    demos = sum((each.extra or {}).get("is_demo", False) is True for each in spoke)
    known = {(each.content or "").strip() for each in spoke}
    if len(spoke) - demos >= len(run["trajectory"]) or response.strip() in known:
        return []
    extra = {key: last[key] for key in ("action", "observation") if key in last}
    return [Message(Role.ASSISTANT, response, extra=extra or None)]


def _model(run: Mapping[str, Any]) -> str | None:
    config = from_json(run.get("replay_config"))
    found = look_up(config, "agent.model.name") if isinstance(config, Mapping) else None
    return found if isinstance(found, str) else None
