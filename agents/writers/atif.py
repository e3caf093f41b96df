"""Writes an episode as a trajectory in the Agent Trajectory Interchange Format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.prompt_key import COPIED, is_copied

_VERSION = "ATIF-v1.5"
_SOURCES = {Role.SYSTEM: "system", Role.USER: "user", Role.ASSISTANT: "agent"}


def atif_text(episode: Episode) -> bytes:
    """Return an episode as one JSON document.

    The format has no place for task, trial, success and reward; they stand under ``extra``.
    """
    document = {
        "schema_version": _VERSION,
        "session_id": episode.id,
        "agent": _known(
            {
                "name": episode.metadata.get("agent_name", "unknown"),
                "version": episode.metadata.get("agent_version", "unknown"),
                "model_name": episode.model,
                "tool_definitions": None if episode.tools is None else list(episode.tools),
            }
        ),
        "steps": [step.document(number) for number, step in enumerate(_steps(episode), start=1)],
        "final_metrics": _known(
            {
                "total_prompt_tokens": episode.prompt_tokens,
                "total_completion_tokens": episode.completion_tokens,
                "total_cost_usd": episode.cost,
            }
        ),
        "extra": _known(
            {
                "task_id": episode.task,
                "trial": episode.trial,
                "success": episode.success,
                "reward": episode.reward,
                "end_reason": episode.end_reason,
                "ended": None if episode.ended else False,
                "unread_lines": list(episode.unread_lines) or None,
            }
        ),
    }
    known = {key: value for key, value in document.items() if value != {}}
    return json_bytes(known, indent=True) + b"\n"


@dataclass(slots=True)
class _Step:
    """One step: a message, and the answers of the tools that it called."""

    message: Message
    ids: list[str]
    results: list[JsonObject] = field(default_factory=list)

    def document(self, number: int) -> JsonObject:
        message = self.message
        step: JsonObject = {
            "step_id": number,
            "source": _SOURCES.get(message.role, "system"),
            "message": message.content or "",
        }
        if is_copied(message):
            step[COPIED] = True
        if message.reasoning is not None:
            step["reasoning_content"] = message.reasoning
        if message.tool_calls:
            calls = zip(self.ids, message.tool_calls, strict=True)
            step["tool_calls"] = [_call(call_id, call) for call_id, call in calls]
        if self.results:
            step["observation"] = {"results": self.results}
        if message.model_call is not None:
            step["metrics"] = _metrics(message.model_call)
        return step


def _steps(episode: Episode) -> Iterator[_Step]:
    """Yield the steps; an answer of a tool belongs to the step that called it."""
    last: _Step | None = None
    number = 0
    for message in episode.messages:
        if message.role is Role.TOOL and last is not None and last.message.role is Role.ASSISTANT:
            last.results.append(_result(message, last))
            continue
        if last is not None:
            yield last
        ids = []
        for call in message.tool_calls:
            number += 1
            ids.append(call.id or f"call-{number}")
        last = _Step(message, ids)
    if last is not None:
        yield last


def _result(message: Message, step: _Step) -> JsonObject:
    call_id = message.tool_call_id
    if call_id is None and len(step.results) < len(step.ids):
        # Without ids, answers come in the order of the calls.
        call_id = step.ids[len(step.results)]
    return _known({"source_call_id": call_id, "content": message.content})


def _call(call_id: str, call: ToolCall) -> JsonObject:
    arguments = call.arguments if call.unparsed is None else {"unparsed": call.unparsed}
    return {"tool_call_id": call_id, "function_name": call.name, "arguments": arguments}


def _metrics(call: ModelCall) -> JsonObject:
    return _known(
        {
            "prompt_tokens": call.prompt_tokens,
            "completion_tokens": call.completion_tokens,
            "cost_usd": call.cost,
        }
    )


def _known(fields: JsonObject) -> JsonObject:
    return {key: value for key, value in fields.items() if value is not None}
