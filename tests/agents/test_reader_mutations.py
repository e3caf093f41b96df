"""No value, however odd, may raise from a reader: it is a problem with its place."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, ToolCall
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import format_named
from post_training_toolkit.agents.readers.records import TraceFile

_ODD: tuple[Any, ...] = (None, 3, -1.5, True, "", "[", "{}", [], {}, [None], [[]], {"a": {}}, 2**70)
_SAMPLES = (
    ("otel-genai", "otel-genai/otlp.json"),
    ("otel-genai", "otel-genai/sdk_spans.jsonl"),
    ("openinference", "openinference/otlp.jsonl"),
    ("openinference", "openinference/phoenix_rows.json"),
    ("langfuse", "langfuse/trace.json"),
    ("langsmith", "langsmith/runs.jsonl"),
    ("langsmith", "langsmith/session.jsonl"),
    ("swe-agent", "swe-agent/run.traj"),
    ("mini-swe-agent", "mini-swe-agent/run.traj.json"),
    ("openhands", "openhands/output.jsonl"),
    ("openhands", "openhands/sdk_events.jsonl"),
    ("atif", "atif/fix-parser__aB3/agent/trajectory.json"),
    ("claude-code", "claude-code/session.jsonl"),
    ("anthropic-messages", "anthropic-messages/calls.jsonl"),
    ("inspect", "inspect/log.json"),
)


@pytest.mark.parametrize(("name", "sample"), _SAMPLES)
def test_a_deleted_or_retyped_value_never_raises(
    name: str, sample: str, samples: Path, tmp_path: Path
) -> None:
    records = _values((samples / sample).read_text(encoding="utf-8"))
    chance = random.Random(sample)
    reader = format_named(name)
    file = tmp_path / Path(sample).name
    for _ in range(150):
        changed = copy.deepcopy(records)
        for _ in range(chance.randint(1, 3)):
            _mutate(changed, chance)
        file.write_text("\n".join(json.dumps(record) for record in changed), encoding="utf-8")
        for found in reader.read(TraceFile(file)):
            _assert_well_formed(found)


@pytest.mark.parametrize(("name", "sample"), _SAMPLES)
def test_a_cut_file_is_read_as_far_as_it_goes(
    name: str, sample: str, samples: Path, tmp_path: Path
) -> None:
    text = (samples / sample).read_text(encoding="utf-8")
    file = tmp_path / Path(sample).name
    for share in (0.3, 0.6, 0.9):
        file.write_text(text[: int(len(text) * share)], encoding="utf-8")
        found = list(format_named(name).read(TraceFile(file)))
        assert any(isinstance(each, TraceProblem) for each in found)


def _values(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]
    return whole if isinstance(whole, list) else [whole]


def _mutate(value: Any, chance: random.Random) -> None:
    """Delete, retype or open one value somewhere inside; JSON in texts is not looked into."""
    places = list(_places(value))
    container, key = chance.choice(places)
    if isinstance(container, dict) and chance.random() < 0.3:
        del container[key]
    else:
        container[key] = copy.deepcopy(chance.choice(_ODD))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, inner in inside:
        yield value, key
        yield from _places(inner)


def _assert_well_formed(found: Episode | TraceProblem) -> None:
    if isinstance(found, TraceProblem):
        assert found.message
        return
    assert isinstance(found.id, str)
    assert found.messages
    assert found.model is None or isinstance(found.model, str)
    assert found.success in (None, True, False)
    assert found.end_reason is None or isinstance(found.end_reason, str)
    for number in (found.prompt_tokens, found.completion_tokens, found.cost):
        assert number is None or isinstance(number, (int, float))
    for message in found.messages:
        _assert_message(message)


def _assert_message(message: Message) -> None:
    texts = (message.content, message.reasoning, message.name, message.tool_call_id)
    assert all(text is None or isinstance(text, str) for text in texts)
    assert all(isinstance(kind, str) for kind in message.left_out)
    for call in message.tool_calls:
        assert isinstance(call, ToolCall)
        assert isinstance(call.name, str)
        assert isinstance(call.arguments, dict)
        assert call.id is None or isinstance(call.id, str)
