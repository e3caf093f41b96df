"""Langfuse exports: real ones of ten frameworks against the normalised messages beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import read_paths
from post_training_toolkit.agents.readers.content import flatten_content
from post_training_toolkit.agents.readers.langfuse import FORMAT, read_observation
from post_training_toolkit.agents.readers.records import TraceFile

_FRAMEWORKS = {
    # name: (messages of each episode, tool calls, tools on offer)
    "agno-2025-06-11": ([5], 1, 2),
    "beeai-2025-08-01": ([5], 0, 0),
    "crewai-2025-07-11": ([3], 0, 0),
    "google-adk-2025-08-28": ([5], 1, 1),
    "koog-2025-08-26": ([6], 2, 0),
    "langgraph-python-2025-08-22": ([5], 1, 1),
    "microsoft-agent-2025-12-17": ([5], 1, 1),
    "pydantic-ai-2025-06-06": ([3], 0, 0),
    "pydantic-ai-tools-2025-12-04": ([9, 3], 4, 5),
    "vercel-aisdk-2025-11-17": ([3], 1, 1),
}
# Where Langfuse's own normaliser finds less than is there:
_DIFFERENCES = {
    # it drops messages that are Python's text; the attributes of the span hold them
    ("agno-2025-06-11", "input"),
    # it keeps calls that were logged as the content of a message as text
    ("koog-2025-08-26", "input"),
    ("koog-2025-08-26", "output"),
    # it keeps a result of a tool as a message of the user
    ("google-adk-2025-08-28", "input"),
    # it does not look into the choice of an event
    ("pydantic-ai-2025-06-06", "output"),
}


@pytest.mark.parametrize("name", _FRAMEWORKS)
def test_the_messages_of_each_call_are_those_that_langfuse_shows(name: str, traces: Path) -> None:
    export = json.loads((traces / f"langfuse/{name}.trace.json").read_text(encoding="utf-8"))
    shown = json.loads((traces / f"langfuse/{name}.chatml.json").read_text(encoding="utf-8"))
    compared = 0
    for observation in export["observations"]:
        if observation["type"] != "GENERATION":
            continue
        span = read_observation(observation)
        expected = shown.get(observation["id"], {})
        for side, messages in (("input", span.input), ("output", span.output)):
            about = expected.get(side, {})
            if about.get("success") and (name, side) not in _DIFFERENCES:
                assert [_plain(each) for each in messages] == [_shown(m) for m in about["data"]]
                compared += 1
    assert compared or {(name, "input"), (name, "output")} <= _DIFFERENCES


@pytest.mark.parametrize("name", _FRAMEWORKS)
def test_each_conversation_of_a_framework_is_an_episode_told_once(name: str, traces: Path) -> None:
    episodes = _episodes(traces / f"langfuse/{name}.trace.json")
    lengths, calls, tools = _FRAMEWORKS[name]
    assert [len(episode.messages) for episode in episodes] == lengths
    assert sum(len(list(episode.tool_calls)) for episode in episodes) == calls
    assert len(episodes[0].tools or ()) == tools
    assert all(episode.model and episode.prompt_tokens and episode.ended for episode in episodes)


def test_instructions_that_only_the_agent_holds_open_the_conversation(traces: Path) -> None:
    (episode,) = _episodes(traces / "langfuse/microsoft-agent-2025-12-17.trace.json")
    assert [message.role for message in episode.messages] == [
        Role.SYSTEM,
        Role.USER,
        Role.ASSISTANT,
        Role.TOOL,
        Role.ASSISTANT,
    ]
    assert episode.messages[3].tool_call_id == episode.messages[2].tool_calls[0].id
    assert (episode.success, episode.metadata["scores"]["hallucination"]) == (True, 0.9)


def test_the_cost_of_a_wrapped_call_counts_once(traces: Path) -> None:
    (episode,) = _episodes(traces / "langfuse/vercel-aisdk-2025-11-17.trace.json")
    assert (episode.prompt_tokens, episode.completion_tokens) == (62, 85)
    assert episode.cost == pytest.approx(0.0009275)
    assert episode.messages[-1].content == '{"location":"San Francisco","temperature":64}'


def test_parallel_calls_of_one_answer_stay_in_one_message(traces: Path) -> None:
    (episode,) = _episodes(traces / "langfuse/koog-2025-08-26.trace.json")
    assert [call.name for call in episode.messages[2].tool_calls] == ["HelloTool", "ByeTool"]


def test_scores_failures_and_tokens_of_an_export_are_read(samples: Path) -> None:
    (episode,) = _episodes(samples / "langfuse/trace.json")
    assert (episode.success, episode.reward, episode.metadata["sessionId"]) == (True, None, "s1")
    assert (episode.prompt_tokens, episode.completion_tokens, episode.cost) == (80, 13, 0.003)
    assert episode.messages[3].failed is True
    assert episode.messages[4].model_call is not None
    assert episode.messages[4].model_call.cost == 0.002


def test_observations_alone_are_grouped_by_their_trace(samples: Path, tmp_path: Path) -> None:
    rows = (samples / "langfuse/observations.jsonl").read_text(encoding="utf-8").splitlines()
    other = [row.replace('"t1"', '"t2"') for row in rows]
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text("\n".join(row for pair in zip(rows, other, strict=True) for row in pair))
    episodes = _episodes(mixed)
    assert [episode.id for episode in episodes] == ["t1", "t2"]
    assert episodes[0].messages == episodes[1].messages


def test_a_broken_observation_is_reported_and_the_others_are_read(
    samples: Path, tmp_path: Path
) -> None:
    rows = (samples / "langfuse/observations.jsonl").read_text(encoding="utf-8").splitlines()
    broken = json.loads(rows[1])
    broken["input"]["messages"][0]["role"] = "narrator"
    file = tmp_path / "broken.jsonl"
    file.write_text("\n".join([rows[0], json.dumps(broken), "{", '{"id": "o9"}', *rows[2:]]))
    found = list(FORMAT.read(TraceFile(file)))
    problems = [
        str(each).partition("broken.jsonl")[2] for each in found if isinstance(each, TraceProblem)
    ]
    assert problems[0].startswith(":3: no JSON")
    assert problems[1].startswith(":4: no observations")
    assert "span 'o2' chat: no role 'narrator'" in problems[2]
    (episode,) = [each for each in found if isinstance(each, Episode)]
    assert episode.final_answer == "It is 5."


def _episodes(path: Path) -> list[Episode]:
    found = list(read_paths([path]))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def _plain(message: Message) -> tuple[str, str, list[tuple[str, Any, str]]]:
    calls = [(call.name, call.arguments, call.id or "") for call in message.tool_calls]
    return message.role.value, (message.content or "").strip(), calls


def _shown(message: dict[str, Any]) -> tuple[str, str, list[tuple[str, Any, str]]]:
    """Return a message of Langfuse's normaliser in the form of ``_plain``."""
    content = message.get("content", message.get("json", {}).get("text"))
    role = {"model": "assistant"}.get(message.get("role", ""), message.get("role", ""))
    calls = [
        (call["name"], json.loads(call["arguments"]), call["id"])
        for call in message.get("tool_calls", ())
    ]
    return role, (flatten_content(content)[0] or "").strip(), calls
