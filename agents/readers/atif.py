"""Reads trajectories in ATIF, the format of Harbor and Terminal-Bench, versions 1.0 to 1.8.

Each trajectory is an episode of its own: those of subagents, which had other instructions, and
those that continue another file after its history was summed up, because the model saw no more of
it than the continuation repeats. The repeated steps stay as context, marked by
``is_copied_context`` in ``Message.extra``, without their cost. The outcome of a trial is that of
the trajectory by which it ended, so that each trial is judged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.atif_step import read_step
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.harbor_trial import Trial, find_trial
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span_attributes import look_up
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_READ = ("steps", "final_metrics", "subagent_trajectories")
# Agents that only serve another one: where they say so, the verdict is not on them.
_PARENTS = ("parent_session_id", "parent_trajectory_id")
_USER_AGENT = "user-agent"
_MOST_NESTED = 20


def recognises(sample: Sample) -> bool:
    """Whether a file holds a trajectory of any version of ATIF."""
    return bool(sample.records) and all(map(_is_trajectory, sample.records[:1]))


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the trajectory of a file and those inside it; a file of JSON lines may hold many."""
    trial: Trial | TraceProblem | None = None
    if file.path.parent.name != _USER_AGENT:
        trial = find_trial(file.path)
    if isinstance(trial, TraceProblem):
        yield trial
        trial = None
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
        else:
            yield from _trajectory(file, record.value, record.line, trial)


FORMAT = TraceFormat(
    name="atif",
    title="ATIF trajectories of Harbor and Terminal-Bench",
    recognises=recognises,
    read=read,
)


def _is_trajectory(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("steps"), list):
        return False
    if str(value.get("schema_version", "")).upper().startswith("ATIF"):
        return True
    first = value["steps"][0] if value["steps"] else None
    return isinstance(first, Mapping) and {"step_id", "source", "message"} <= set(first)


def _trajectory(
    file: TraceFile,
    value: Any,
    line: int | None,
    trial: Trial | None,
    place: str = "",
    parent: str = "",
) -> Iterator[Episode | TraceProblem]:
    if not isinstance(value, Mapping) or not isinstance(value.get("steps"), list):
        yield file.problem(line, "no trajectory: it needs a list of steps", place)
        return
    messages: list[Message] = []
    for at, step in enumerate(value["steps"]):
        try:
            messages += read_step(step)
        except MessageError as error:
            yield file.problem(line, str(error), f"{place}steps[{at}]")
    name = f"{parent}/{_id(file, value)}" if parent else _id(file, value)
    if messages:
        yield _episode(file, value, line, name, tuple(messages), trial)
    else:
        yield file.problem(line, "a trajectory without any step", place)
    inside = value.get("subagent_trajectories")
    for at, each in enumerate(inside if isinstance(inside, list) else []):
        where = f"{place}subagent_trajectories[{at}]: "
        if place.count("subagent_trajectories") == _MOST_NESTED:
            yield file.problem(line, f"subagents of more than {_MOST_NESTED} levels", where)
            return
        yield from _trajectory(file, each, line, None, where, name)


def _episode(
    file: TraceFile,
    value: Mapping[str, Any],
    line: int | None,
    name: str,
    messages: tuple[Message, ...],
    trial: Trial | None,
) -> Episode:
    continued = isinstance(value.get("continued_trajectory_ref"), str)
    serves = any(look_up(value, f"agent.extra.{key}") is not None for key in _PARENTS)
    known = trial if trial is not None and not serves else Trial()
    judged = known if not continued else Trial(known.task, known.name)
    # What the toolkit's own trajectories say, for which the format has no place.
    said = value.get("extra")
    own = episode_from_messages((), said if isinstance(said, Mapping) else {}, episode_id=name)
    prompt, completion, cost = _spent(value, messages)
    model = look_up(value, "agent.model_name")
    return Episode(
        id=name,
        messages=messages,
        task=judged.task if judged.task is not None else own.task,
        trial=judged.name if judged.name is not None else own.trial,
        tools=parse_tools(look_up(value, "agent.tool_definitions")) or None,
        model=model if isinstance(model, str) else _model_of(messages),
        success=judged.success if judged.success is not None else own.success,
        reward=judged.reward if judged.reward is not None else own.reward,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=cost,
        end_reason=judged.error or own.end_reason,
        ended=not continued and own.ended,
        unread_lines=own.unread_lines,
        metadata={
            **{key: each for key, each in value.items() if key not in _READ and each is not None},
            **judged.metadata,
            "agent": _agent(value.get("agent")),
        },
        source=file.name,
        line=line,
    )


def _id(file: TraceFile, value: Mapping[str, Any]) -> str:
    """Return the id of the trajectory, else of its run and the part of it that this is."""
    for key in ("trajectory_id", "session_id"):
        if isinstance(found := value.get(key), str) and found:
            part = look_up(value, "agent.extra.continuation_index")
            return f"{found}/{part}" if key == "session_id" and part else found
    return file.path.name.partition(".")[0]


def _agent(agent: Any) -> JsonObject:
    described = dict(agent) if isinstance(agent, Mapping) else {}
    return {
        key: value
        for key, value in described.items()
        if key not in ("tool_definitions", "model_name") and value is not None
    }


def _model_of(messages: tuple[Message, ...]) -> str | None:
    found = ((message.extra or {}).get("model_name") for message in messages)
    return next((name for name in found if isinstance(name, str)), None)


def _spent(
    value: Mapping[str, Any], messages: tuple[Message, ...]
) -> tuple[int | None, int | None, float | None]:
    """Return tokens of prompts, tokens of answers, and cost: the totals, else the sums."""
    made = [message.model_call for message in messages if message.model_call is not None]
    prompt = count(value, "final_metrics.total_prompt_tokens")
    completion = count(value, "final_metrics.total_completion_tokens")
    cost = number(value, "final_metrics.total_cost_usd")
    return (
        prompt if prompt is not None else _total(made, "prompt_tokens"),
        completion if completion is not None else _total(made, "completion_tokens"),
        cost if cost is not None else _total(made, "cost"),
    )


def _total(made: list[ModelCall], field: str) -> Any:
    counted = [found for call in made if (found := getattr(call, field)) is not None]
    return sum(counted) if counted else None
