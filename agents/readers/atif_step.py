"""Reads one step of an ATIF trajectory as chat messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import flatten_content, parse_arguments
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import MessageError

_SOURCES = {"system": Role.SYSTEM, "user": Role.USER, "agent": Role.ASSISTANT}
_READ = (
    "step_id",
    "source",
    "message",
    "reasoning_content",
    "tool_calls",
    "observation",
    "metrics",
)
# Tokens and their probabilities repeat the whole prompt in each step.
_METRICS_LEFT_OUT = (
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "prompt_token_ids",
    "completion_token_ids",
    "logprobs",
)


def read_step(step: Any) -> list[Message]:
    """Return what was said in a step, and what the environment answered.

    An answer to no call of a tool, such as a screen that is shown after typed text, is said by the
    user, as the model saw it. Raises ``MessageError`` for what is no step.
    """
    if not isinstance(step, Mapping):
        raise MessageError("a step is an object")
    source = step.get("source")
    role = _SOURCES.get(source) if isinstance(source, str) else None
    if role is None:
        raise MessageError(f"no source {source!r}; there are {', '.join(_SOURCES)}")
    text, left_out = flatten_content(step.get("message"))
    step_id = step.get("step_id")
    at = step_id if isinstance(step_id, int) else None
    calls = _calls(step.get("tool_calls"), at)
    reasoning = step.get("reasoning_content")
    results = _results(step.get("observation"))
    said = Message(
        role,
        text,
        calls,
        reasoning=reasoning if isinstance(reasoning, str) and reasoning else None,
        step=at,
        model_call=_model_call(step) if role is Role.ASSISTANT else None,
        left_out=left_out,
        extra=_extra(step, results) or None,
    )
    return [said, *_answers(results, calls, at)]


def is_copied(step: Any) -> bool:
    """Whether a step repeats one of another trajectory, as context."""
    return isinstance(step, Mapping) and step.get("is_copied_context") is True


def _calls(logged: Any, at: int | None) -> tuple[ToolCall, ...]:
    if logged is None:
        return ()
    if not isinstance(logged, list):
        raise MessageError("tool_calls is a list")
    return tuple(_call(call, at) for call in logged)


def _call(call: Any, at: int | None) -> ToolCall:
    name = call.get("function_name") if isinstance(call, Mapping) else None
    if not isinstance(name, str) or not name:
        raise MessageError("a tool call without function_name")
    arguments, unparsed = parse_arguments(call.get("arguments"))
    extra = call.get("extra")
    return ToolCall(
        name,
        arguments,
        id=_id(call.get("tool_call_id")),
        unparsed=unparsed,
        step=at,
        extra=dict(extra) if isinstance(extra, Mapping) and extra else None,
    )


def _results(observation: Any) -> list[Mapping[str, Any]]:
    if observation is None:
        return []
    results = observation.get("results") if isinstance(observation, Mapping) else None
    if not isinstance(results, list) or not all(isinstance(each, Mapping) for each in results):
        raise MessageError("observation.results is a list of objects")
    return results


def _answers(
    results: list[Mapping[str, Any]], calls: tuple[ToolCall, ...], step: int | None
) -> list[Message]:
    unnamed = [each for each in results if _id(each.get("source_call_id")) is None]
    # Results without an id lie in the order of the calls, if there is one for each.
    in_order = len(unnamed) == len(results) == len(calls)
    answers = []
    for at, result in enumerate(results):
        call_id = calls[at].id if in_order else _id(result.get("source_call_id"))
        content = result.get("content")
        if content is None and call_id is None:
            continue
        text, left_out = flatten_content(content)
        extra = {
            key: result[key] for key in ("subagent_trajectory_ref", "extra") if result.get(key)
        }
        answers.append(
            Message(
                Role.TOOL if calls or call_id is not None else Role.USER,
                text,
                tool_call_id=call_id,
                name=next((call.name for call in calls if call_id and call.id == call_id), None),
                structured=content if isinstance(content, dict) else None,
                step=step,
                left_out=left_out,
                extra=extra or None,
            )
        )
    return answers


def _model_call(step: Mapping[str, Any]) -> ModelCall | None:
    """Return what the step cost; what a copied step cost is told where it was first made."""
    metrics = step.get("metrics")
    if not isinstance(metrics, Mapping) or is_copied(step):
        return None
    return ModelCall(
        count(metrics, "prompt_tokens"),
        count(metrics, "completion_tokens"),
        number(metrics, "cost_usd"),
    )


def _extra(step: Mapping[str, Any], results: list[Mapping[str, Any]]) -> JsonObject:
    extra = {key: value for key, value in step.items() if key not in _READ and value is not None}
    if isinstance(metrics := step.get("metrics"), Mapping):
        kept = {key: value for key, value in metrics.items() if key not in _METRICS_LEFT_OUT}
        extra |= {"metrics": kept} if any(value is not None for value in kept.values()) else {}
    # A trajectory that the system started, such as one that writes a summary, answers no call.
    started = [
        each["subagent_trajectory_ref"]
        for each in results
        if each.get("content") is None
        and _id(each.get("source_call_id")) is None
        and each.get("subagent_trajectory_ref")
    ]
    return {**extra, "subagent_trajectory_ref": started} if started else extra


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
