"""Logs of Anthropic's messages API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import ModelCall, Role
from post_training_toolkit.agents.readers.choose import find_format, read_paths
from post_training_toolkit.agents.readers.records import TraceFile

CALLS = "anthropic-messages/calls.jsonl"
CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}


def read(path: Path) -> list[Episode]:
    found = list(read_paths([path]))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def write(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in records), encoding="utf-8")
    return path


def conversation(*contents: Any, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": each} for at, each in enumerate(contents)]
    return {"messages": messages, "system": "s", "max_tokens": 9, **more}


def test_requests_that_repeat_what_was_said_are_one_episode(samples: Path) -> None:
    found = {each.id: each for each in read(samples / CALLS)}
    assert set(found) == {"msg_a", "msg_b", "batch-1"}
    episode = found["msg_a"]
    assert [str(each.role) for each in episode.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    asked, result = episode.messages[2], episode.messages[3]
    assert asked.reasoning == "Ask."
    assert asked.model_call == ModelCall(50, 12, None, "tool_use")
    assert (result.tool_call_id, result.content) == (asked.tool_calls[0].id, "rain")
    assert (episode.prompt_tokens, episode.completion_tokens) == (120, 15)
    assert (episode.model, episode.system) == ("claude-model-1", "Be brief.")
    assert (episode.metadata, episode.end_reason) == ({"user": "u-9"}, "end_turn")


def test_input_schemas_become_the_parameters_of_tools(samples: Path) -> None:
    (tool,) = read(samples / CALLS)[0].tools or ()
    assert tool["function"]["name"] == "weather"
    assert tool["function"]["parameters"]["required"] == ["city"]


def test_equal_conversations_stay_apart(tmp_path: Path) -> None:
    twice = [conversation("a", "b")] * 2
    assert len(read(write(tmp_path / "log.jsonl", twice))) == 2


def test_an_outcome_beside_the_messages_is_read(tmp_path: Path) -> None:
    records = [
        conversation("a", "b", success=False, reward=0.5),
        conversation("c", "d", metadata={"passed": True}),
        conversation("e", [CALL]),
    ]
    failed, passed, open_one = read(write(tmp_path / "log.jsonl", records))
    assert (failed.success, failed.reward, passed.success) == (False, 0.5, True)
    assert (open_one.success, open_one.ended) == (None, False)


def test_a_result_of_the_providers_own_tool_is_a_message(tmp_path: Path) -> None:
    call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
    pages = [{"type": "web_search_result", "url": "https://example.org"}]
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": pages}
    (episode,) = read(write(tmp_path / "log.jsonl", [conversation("a", [call, result])]))
    asked, answered = episode.messages[-2:]
    assert asked.tool_calls[0].arguments == {"query": "x"}
    assert (answered.tool_call_id, answered.structured) == ("s1", pages)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "robot", "content": "x"}, "no role 'robot'"),
        ({"role": "user", "content": None}, "a message needs content"),
        ({"role": "user"}, "a message needs content"),
        (7, "a message is an object"),
        ({"role": "user", "content": [3]}, "a block of content is an object"),
        ({"role": "assistant", "content": [{"type": "tool_use"}]}, "a tool call without a name"),
    ],
)
def test_a_bad_message_is_told_by_its_place_and_the_others_are_read(
    tmp_path: Path, message: Any, problem: str
) -> None:
    bad = conversation("a", [CALL])
    bad["messages"].insert(1, message)
    found = list(read_paths([write(tmp_path / "log.jsonl", [conversation("x", "y"), bad])]))
    (told,) = (each for each in found if not isinstance(each, Episode))
    assert f"log.jsonl:2: messages[1]: {problem}" in str(told)
    episodes = [each for each in found if isinstance(each, Episode)]
    assert [len(each.messages) for each in episodes] == [3, 3]


def test_a_record_without_messages_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "log.jsonl", [conversation("a", [CALL]), {"note": 1}, 5])
    found = [str(each) for each in read_paths([path]) if not isinstance(each, Episode)]
    assert [each.partition("log.jsonl:")[2] for each in found] == [
        "2: neither messages nor an answer",
        "3: a record is an object",
    ]


def test_missing_ids_and_nothing_in_a_result_are_no_problem(tmp_path: Path) -> None:
    call = {"type": "tool_use", "name": "look", "input": None}
    (episode,) = read(
        write(tmp_path / "log.jsonl", [conversation("a", [call], [{"type": "tool_result"}])])
    )
    result = episode.messages[-1]
    assert (result.role, result.content, result.tool_call_id) == (Role.TOOL, None, None)
    assert next(episode.tool_calls).arguments == {}


def test_no_real_trace_of_another_format_is_taken_for_it(traces: Path) -> None:
    for path in traces.rglob("*.json*"):
        found = find_format(TraceFile(path))
        assert found is None or found.name != "anthropic-messages", path
