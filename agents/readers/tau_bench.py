"""Reads results of tau-bench and tau2-bench: tasks that are tried several times with a user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.content import as_text
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import Record, TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_SOLVED = 1.0
# How far a sum of floats may be from 1, as tau-bench itself has it.
_TOLERANCE = 1e-6


def recognises(sample: Sample) -> bool:
    """Whether a file holds rows with a trajectory and a reward, or simulations of tasks."""
    return any(_is_row(record) or _is_results(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield every trial of every task.

    A trial is a success if its reward is 1, as tau-bench counts. In tau2-bench the user has tools,
    too: calls of theirs are not the agent's, and stand with their results as what the user says.
    """
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
        elif _is_row(record.value):
            yield _trial(file, record, number, record.value["traj"], {})
        elif _is_results(record.value):
            yield from _simulations(file, record)
        else:
            yield file.problem(
                record.line, "no trial: it needs task_id, traj and reward", _at(number)
            )


def _simulations(file: TraceFile, record: Record) -> Iterator[Episode | TraceProblem]:
    info = record.value.get("info")
    agent = info.get("agent_info") if isinstance(info, Mapping) else None
    model = agent.get("llm") if isinstance(agent, Mapping) else None
    for number, simulation in enumerate(record.value["simulations"], start=1):
        if not isinstance(simulation, Mapping) or not isinstance(simulation.get("messages"), list):
            yield file.problem(None, "no simulation: it needs messages", f"simulation {number}")
            continue
        reward = simulation.get("reward_info")
        beside = {
            "reward": reward.get("reward") if isinstance(reward, Mapping) else None,
            "model": model,
            "end_reason": simulation.get("termination_reason"),
        }
        messages = [_seen_by_agent(message) for message in simulation["messages"]]
        yield _trial(file, Record(simulation, None), number, messages, beside)


def _trial(
    file: TraceFile, record: Record, number: int, messages: Any, beside: Mapping[str, Any]
) -> Episode | TraceProblem:
    row = {**record.value, **{key: value for key, value in beside.items() if value is not None}}
    task, trial = as_text(row.get("task_id")), as_text(row.get("trial"))
    if not isinstance(messages, list):
        return file.problem(record.line, "traj is no list of messages", _at(number))
    try:
        return episode_from_messages(
            messages,
            {
                **row,
                "episode_id": f"{file.path.stem}/{task}/{trial}",
                "success": _solved(row.get("reward")),
            },
            episode_id=f"{file.path.stem}-{number}",
            source=file.name,
            line=record.line,
            taken=("traj", "messages", "reward_info", "termination_reason"),
        )
    except MessageError as error:
        return file.problem(record.line, str(error), _at(number))


def _seen_by_agent(message: Any) -> Any:
    """Return a message of tau2-bench without calls of the user, which the agent does not see."""
    if not isinstance(message, Mapping):
        return message
    if message.get("role") == "tool" and message.get("requestor") == "user":
        return {"role": "user", "content": message.get("content")}
    calls = message.get("tool_calls")
    if message.get("role") == "user" and calls:
        said = message.get("content") or as_text(calls)
        return {"role": "user", "content": said}
    return {key: value for key, value in message.items() if key != "cost"}


def _solved(reward: Any) -> bool | None:
    if isinstance(reward, bool) or not isinstance(reward, (int, float)):
        return None
    return abs(reward - _SOLVED) <= _TOLERANCE


def _at(number: int) -> str:
    return f"record {number}"


def _is_row(record: Any) -> bool:
    return isinstance(record, Mapping) and {"task_id", "traj", "reward"} <= record.keys()


def _is_results(record: Any) -> bool:
    return isinstance(record, Mapping) and isinstance(record.get("simulations"), list)


FORMAT = TraceFormat("tau-bench", "results of tau-bench and tau2-bench", recognises, read)
