"""Spans of OpenTelemetry and OpenInference; the samples were written by the real SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import find_format
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.spans import read_span_file

_SAMPLES = {
    "otel-genai/otlp.json": "otel-genai",
    "otel-genai/sdk_spans.jsonl": "otel-genai",
    "openinference/otlp.jsonl": "openinference",
    "openinference/phoenix_rows.json": "openinference",
}
Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("sample", _SAMPLES)
def test_each_exporter_of_spans_gives_the_same_episode(sample: str, samples: Path) -> None:
    file = TraceFile(samples / sample)
    found = find_format(file)
    assert found is not None
    assert found.name == _SAMPLES[sample]
    (episode,) = _read(file)
    system, user, asks, *results, answer = episode.messages
    assert (system.role, system.content) == (Role.SYSTEM, "Answer with the tools.")
    assert user.content == "How warm is it in Oslo and in Rome?"
    assert [(call.id, call.arguments) for call in asks.tool_calls] == [
        ("c1", {"city": "Oslo"}),
        ("c2", {"city": "Rome"}),
    ]
    assert [(each.tool_call_id, each.content) for each in results] == [
        ("c1", "-3"),
        ("c2", "no such city"),
    ]
    assert results[1].failed is True
    assert not results[0].failed
    assert answer.content == episode.final_answer == "Oslo -3, Rome unknown."
    assert (episode.prompt_tokens, episode.completion_tokens) == (110, 21)
    assert asks.model_call is not None
    assert asks.model_call.prompt_tokens == 40
    assert (episode.model, episode.metadata["session"]) == ("small", "conv-1")
    assert episode.tools is not None
    assert episode.tools[0]["function"]["name"] == "weather"


def test_the_result_of_an_evaluation_is_the_outcome(samples: Path) -> None:
    (episode,) = _read(TraceFile(samples / "otel-genai/otlp.json"))
    assert episode.success is False
    assert episode.end_reason == "stop"
    assert episode.messages[2].reasoning == "Two cities."


def test_a_result_that_no_later_call_repeats_comes_from_the_span_of_its_tool(
    samples: Path, tmp_path: Path
) -> None:
    spans = _spans(samples)
    last = [span for span in spans if span["name"] == "chat small"][-1]
    file = _written(tmp_path, [span for span in spans if span is not last])
    (episode,) = _read(file)
    assert [(each.content, each.failed) for each in episode.messages[3:]] == [
        ("-3", None),
        ("no such city", True),
    ]


def test_a_trace_whose_outermost_span_is_missing_has_not_ended(
    samples: Path, tmp_path: Path
) -> None:
    spans = [span for span in _spans(samples) if span["name"] != "invoke_agent helper"]
    last = [span for span in spans if span["name"] == "chat small"][-1]
    (episode,) = _read(_written(tmp_path, [span for span in spans if span is not last]))
    assert not episode.ended


def test_spans_of_two_traces_that_lie_among_each_other_are_two_episodes(
    samples: Path, tmp_path: Path
) -> None:
    spans = _spans(samples)
    text = json.dumps(spans).replace(spans[0]["context"]["trace_id"], "0x02")
    both = [span for pair in zip(spans, json.loads(text), strict=True) for span in pair]
    first, second = _read(_written(tmp_path, both))
    assert first.messages == second.messages
    assert second.id == "0x02"


def test_agents_with_their_own_instructions_are_episodes_of_their_own(
    samples: Path, tmp_path: Path
) -> None:
    spans = _spans(samples)
    judge = json.loads(json.dumps(next(span for span in spans if span["name"] == "chat small")))
    judge["context"]["span_id"] = "0x0a"
    judge["start_time"] = "2099-01-01T00:00:00Z"
    judge["attributes"]["gen_ai.system_instructions"] = '[{"type": "text", "content": "Judge."}]'
    first, second = _read(_written(tmp_path, [*spans, judge]))
    assert (first.success, second.success) == (False, None)
    assert (second.id, second.system) == (f"{first.id}/2", "Judge.")
    assert len(first.messages) == 6


def test_a_second_answer_to_one_prompt_is_an_episode_of_its_own(
    samples: Path, tmp_path: Path
) -> None:
    spans = _spans(samples)
    again = json.loads(json.dumps(next(span for span in spans if span["name"] == "chat small")))
    again["context"]["span_id"] = "0x0a"
    again["start_time"] = "2099-01-01T00:00:00Z"
    again["attributes"]["gen_ai.output.messages"] = json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "I do not know."}]}]
    )
    first, second = _read(_written(tmp_path, [*spans, again]))
    assert len(first.messages) == 6
    assert [message.content for message in second.messages][1:] == [
        "How warm is it in Oslo and in Rome?",
        "I do not know.",
    ]


def test_a_history_that_was_shortened_is_told_without_repetition(tmp_path: Path) -> None:
    def said(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": text}]}

    opening = [said("system", "Be brief."), said("user", "Count.")]
    calls = [
        ([*opening], said("assistant", "1")),
        ([*opening, said("assistant", "1"), said("user", "On.")], said("assistant", "2")),
        ([*opening, said("assistant", "2"), said("user", "More.")], said("assistant", "3")),
    ]
    spans = [_chat(number, *call) for number, call in enumerate(calls)]
    (episode,) = _read(_written(tmp_path, spans))
    texts = [message.content for message in episode.messages]
    assert texts == ["Be brief.", "Count.", "1", "On.", "2", "More.", "3"]


def test_events_of_the_older_convention_are_messages(tmp_path: Path) -> None:
    span = _chat(1, [], None)
    span["events"] = [
        {"name": "gen_ai.user.message", "attributes": {"content": "Hi"}},
        {
            "name": "gen_ai.choice",
            "attributes": {"index": 0, "finish_reason": "stop", "message": '{"content": "Hello"}'},
        },
    ]
    (episode,) = _read(_written(tmp_path, [span]))
    assert [(each.role, each.content) for each in episode.messages] == [
        (Role.USER, "Hi"),
        (Role.ASSISTANT, "Hello"),
    ]
    assert episode.end_reason == "stop"


def test_messages_spread_over_attributes_are_read_in_their_order(tmp_path: Path) -> None:
    span = _chat(1, [], None)
    span["attributes"] |= {f"gen_ai.prompt.{at}.role": "user" for at in range(11)}
    span["attributes"] |= {f"gen_ai.prompt.{at}.content": str(at) for at in range(11)}
    span["attributes"] |= {"gen_ai.completion.0.role": "assistant"}
    span["attributes"] |= {"gen_ai.completion.0.content": "eleven"}
    (episode,) = _read(_written(tmp_path, [span]))
    assert [message.content for message in episode.messages] == [*map(str, range(11)), "eleven"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda span: span.pop("context"), "no span: it needs a trace id and a span id"),
        (lambda span: span.update(attributes=3), "attributes are an object or a list"),
        (
            lambda span: span["attributes"].update(
                {"gen_ai.input.messages": '[{"role": "narrator", "parts": []}]'}
            ),
            "no role 'narrator'; there are system, developer, user",
        ),
        (
            lambda span: span["attributes"].update({"gen_ai.input.messages": "[3]"}),
            "a message is an object, not int",
        ),
    ],
)
def test_a_broken_span_is_reported_with_its_line_and_the_rest_is_read(
    change: Change, told: str, samples: Path, tmp_path: Path
) -> None:
    spans = _spans(samples)
    change(spans[0])
    found = list(read_span_file(_written(tmp_path, spans)))
    (problem,) = [each for each in found if isinstance(each, TraceProblem)]
    assert "spans.jsonl:1: " in str(problem)
    assert told in str(problem)
    (episode,) = [each for each in found if isinstance(each, Episode)]
    assert episode.final_answer == "Oslo -3, Rome unknown."


def _read(file: TraceFile) -> list[Episode]:
    found = list(read_span_file(file))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def _spans(samples: Path) -> list[dict[str, Any]]:
    text = (samples / "otel-genai/sdk_spans.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _written(folder: Path, spans: list[dict[str, Any]]) -> TraceFile:
    file = folder / "spans.jsonl"
    file.write_text("".join(json.dumps(span) + "\n" for span in spans), encoding="utf-8")
    return TraceFile(file)


def _chat(number: int, asked: list[Any], answer: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {"gen_ai.operation.name": "chat"}
    if asked:
        attributes["gen_ai.input.messages"] = json.dumps(asked)
        attributes["gen_ai.output.messages"] = json.dumps([answer])
    return {
        "name": "chat",
        "context": {"trace_id": "0x01", "span_id": f"0x1{number}"},
        "parent_id": None,
        "start_time": f"2026-03-01T10:00:0{number}Z",
        "end_time": f"2026-03-01T10:00:0{number}.5Z",
        "attributes": attributes,
    }
