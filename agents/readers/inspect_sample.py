"""Reads one sample of an Inspect log as an episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import parse_tools
from post_training_toolkit.agents.readers.inspect_message import read_inspect_message
from post_training_toolkit.agents.readers.inspect_scores import judge
from post_training_toolkit.agents.readers.otel_genai import count, number
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span_attributes import look_up

_REFERENCES = ("attachment://", "tc://")
_DEEPEST = 50
_ABOUT_EVAL = ("task_args", "task_id", "run_id", "eval_id", "created", "solver")
_ABOUT_SAMPLE = ("target", "choices", "metadata", "total_time", "working_time")


@dataclass(frozen=True, slots=True)
class Log:
    """What a log says of all its samples: the task, its arguments and the model."""

    spec: Mapping[str, Any]

    @property
    def task(self) -> str | None:
        """The name of the task."""
        name = self.spec.get("task")
        return name if isinstance(name, str) else None

    @property
    def model(self) -> str | None:
        """The name of the model that is evaluated."""
        name = self.spec.get("model")
        return name if isinstance(name, str) else None


def read_sample(
    file: TraceFile, log: Log, sample: Any, place: str
) -> Iterator[Episode | TraceProblem]:
    """Yield the episode of a sample, and before it what in it cannot be read."""
    if not isinstance(sample, Mapping) or sample.get("id") is None:
        yield file.problem(None, "a sample is an object with an id", place)
        return
    resolve = _Attachments(_mapping(sample.get("attachments")), _transcript(sample).get("content"))
    messages: list[Message] = []
    calls = _model_calls(sample)
    for at, logged in enumerate(_logged_messages(sample)):
        try:
            messages += read_inspect_message(resolve(logged), calls)
        except MessageError as error:
            yield file.problem(None, str(error), f"{place}: messages[{at}]")
    if messages:
        yield _episode(file, log, sample, tuple(messages), resolve)
    else:
        yield file.problem(None, "a sample without messages", place)


class _Attachments:
    """Puts texts back in the places of the references to them."""

    def __init__(self, *texts: Any) -> None:
        self._texts = {key: text for each in texts for key, text in _mapping(each).items()}

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            for prefix in _REFERENCES:
                if value.startswith(prefix):
                    return self._texts.get(value.removeprefix(prefix), value)
            return value
        if depth == _DEEPEST:
            return value
        if isinstance(value, Mapping):
            return {key: self(each, depth + 1) for key, each in value.items()}
        return [self(each, depth + 1) for each in value] if isinstance(value, list) else value


def _episode(
    file: TraceFile,
    log: Log,
    sample: Mapping[str, Any],
    messages: tuple[Message, ...],
    resolve: _Attachments,
) -> Episode:
    sample_id, epoch, uuid = sample["id"], sample.get("epoch"), sample.get("uuid")
    task = f"{log.task}/{sample_id}" if log.task else str(sample_id)
    verdict = judge(_scores(sample), resolve)
    error, limit = look_up(sample, "error.message"), look_up(sample, "limit.type")
    stopped = _choice(sample).get("stop_reason")
    named = (log.spec.get(key) for key in ("eval_id", "task_id", "run_id"))
    run = next(filter(None, named), file.path.name.partition(".")[0])
    return Episode(
        id=uuid if isinstance(uuid, str) and uuid else f"{run}/{sample_id}/{epoch or 1}",
        messages=messages,
        task=task,
        prompt_type=log.task,
        tools=_tools(sample, resolve),
        model=log.model,
        trial=epoch if isinstance(epoch, int) else None,
        success=verdict.success,
        reward=verdict.reward,
        end_reason=_end_reason(error, limit, stopped),
        ended=error is None,
        metadata=_metadata(log, sample, verdict.scores),
        source=file.name,
        **_spent(sample, log.model),
    )


def _end_reason(error: Any, limit: Any, stopped: Any) -> str | None:
    if isinstance(error, str):
        return f"error: {error}"
    if isinstance(limit, str):
        return f"{limit} limit"
    return stopped if isinstance(stopped, str) else None


def _metadata(log: Log, sample: Mapping[str, Any], scores: JsonObject) -> JsonObject:
    about = {key: log.spec[key] for key in _ABOUT_EVAL if log.spec.get(key)}
    about |= {key: sample[key] for key in _ABOUT_SAMPLE if sample.get(key)}
    usage = _without_nulls(sample.get("model_usage"))
    return {
        **about,
        "sample": sample["id"],
        **({"scores": scores} if scores else {}),
        **({"model_usage": usage} if usage else {}),
    }


def _logged_messages(sample: Mapping[str, Any]) -> list[Any]:
    """Return the messages, or what was asked where the sample failed before it had any."""
    logged, asked = sample.get("messages"), sample.get("input")
    if isinstance(logged, list) and logged:
        return logged
    return asked if isinstance(asked, list) else [{"role": "user", "content": asked}]


def _scores(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scores by the names of their scorers; the oldest logs have one without a name."""
    if (single := sample.get("score")) is not None:
        return {"score": single}
    return _mapping(sample.get("scores"))


def _transcript(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(sample.get("transcript"))


def _model_events(sample: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    events = sample.get("events") or _transcript(sample).get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, Mapping) and event.get("event") == "model":
            yield event


def _model_calls(sample: Mapping[str, Any]) -> dict[str, ModelCall]:
    """Return what each answer cost, by the id of its message."""
    named = ((look_up(_choice(event), "message.id"), event) for event in _model_events(sample))
    return {name: _model_call(event) for name, event in named if isinstance(name, str)}


def _model_call(event: Mapping[str, Any]) -> ModelCall:
    usage = _mapping(look_up(event, "output.usage"))
    reason = _choice(event).get("stop_reason")
    return ModelCall(
        _prompt_tokens(usage),
        count(usage, "output_tokens"),
        number(usage, "total_cost"),
        reason if isinstance(reason, str) else None,
    )


def _choice(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first answer of an event or of a sample."""
    choices = look_up(said, "output.choices")
    return _mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _tools(sample: Mapping[str, Any], resolve: _Attachments) -> tuple[JsonObject, ...] | None:
    """Return every tool that was on offer in a call of the model."""
    offers = (event.get("tools") for event in _model_events(sample))
    tools = {
        tool["function"]["name"]: tool
        for offer in offers
        for tool in parse_tools(_without_nulls(resolve(offer))) or ()
    }
    return tuple(tools.values()) or None


def _spent(sample: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Return what the model that was evaluated used, without what graders did."""
    by_model = _mapping(sample.get("model_usage"))
    usages = [by_model[model]] if model and model in by_model else list(by_model.values())
    if not usages:  # older logs have it with each call only
        usages = [look_up(event, "output.usage") for event in _model_events(sample)]
    used = [_mapping(usage) for usage in usages]
    return {
        "prompt_tokens": _total(map(_prompt_tokens, used)),
        "completion_tokens": _total(count(usage, "output_tokens") for usage in used),
        "cost": _total(number(usage, "total_cost") for usage in used),
    }


def _prompt_tokens(usage: Mapping[str, Any]) -> int | None:
    """Return the tokens of the prompts, with those that a cache held.

    Whether ``input_tokens`` has them differs from version to version, but the total always does.
    """
    total, output = count(usage, "total_tokens"), count(usage, "output_tokens")
    prompt = count(usage, "input_tokens")
    if total and output is not None and prompt is not None:
        return max(total - output, prompt)
    return prompt


def _total(counts: Iterable[Any]) -> Any:
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
