"""LangSmith: exported runs, batches of its clients, and recorded sessions of managed agents."""

from __future__ import annotations

import json
from pathlib import Path

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import read_paths
from post_training_toolkit.agents.readers.langsmith import FORMAT
from post_training_toolkit.agents.readers.records import TraceFile


def test_the_start_and_the_end_of_a_run_in_a_batch_are_one_call(traces: Path) -> None:
    files = sorted((traces / "langsmith_runs").glob("*wrap_openai*.json"))
    episodes = _episodes(*files)
    assert len(episodes) == len(files) == 4
    for episode in episodes:
        assert [(each.role, each.content) for each in episode.messages] == [
            (Role.USER, "howdy"),
            (Role.ASSISTANT, "Howdy! How can I assist you today?"),
        ]
        assert (episode.prompt_tokens, episode.completion_tokens) == (9, 9)
        assert (episode.model, episode.end_reason) == ("gpt-4o-mini-2024-07-18", "stop")
        assert episode.ended


def test_a_real_session_of_a_managed_agent_is_an_episode(traces: Path) -> None:
    tools, mcp = _episodes(*sorted((traces / "langsmith_runs").glob("anthropic_managed_*.jsonl")))
    for episode in (tools, mcp):
        assert [each.role for each in episode.messages] == [
            Role.SYSTEM,
            Role.USER,
            Role.ASSISTANT,
            Role.TOOL,
            Role.ASSISTANT,
        ]
        (call,) = episode.tool_calls
        assert episode.messages[3].tool_call_id == call.id
        assert (episode.end_reason, episode.ended) == ("end_turn", True)
    assert (tools.model, tools.completion_tokens) == ("claude-sonnet-5", 80)


def test_exported_runs_of_langchain_are_one_conversation(samples: Path) -> None:
    (episode,) = _episodes(samples / "langsmith/runs.jsonl")
    system, user, asks, result, answer = episode.messages
    assert (system.role, user.content) == (Role.SYSTEM, "Add 2 and 3.")
    assert asks.tool_calls[0].arguments == {"a": 2, "b": 3}
    assert asks.model_call is not None
    assert asks.model_call.finish_reason == "tool_calls"
    assert (result.tool_call_id, result.failed) == ("c1", False)
    assert answer.content == "It is 5."
    assert (episode.success, episode.cost, episode.prompt_tokens) == (True, 0.003, 60)
    assert episode.tools is not None
    assert episode.tools[0]["function"]["name"] == "add"


def test_messages_and_parallel_calls_of_one_request_are_one_answer(samples: Path) -> None:
    (episode,) = _episodes(samples / "langsmith/session.jsonl")
    asks = episode.messages[2]
    assert (asks.content, [call.id for call in asks.tool_calls]) == ("I add.", ["e4", "e5"])
    assert asks.model_call is not None
    assert asks.model_call.prompt_tokens == 32
    assert [each.failed for each in episode.messages[3:5]] == [False, True]
    assert episode.tools is not None


def test_a_run_without_an_end_is_an_episode_that_broke_off(samples: Path, tmp_path: Path) -> None:
    rows = [json.loads(row) for row in _rows(samples)][:2]
    rows[0]["end_time"] = None
    (episode,) = _episodes(_written(tmp_path, [json.dumps(row) for row in rows]))
    assert not episode.ended
    assert len(episode.messages) == 3


def test_a_broken_run_is_reported_with_its_line(samples: Path, tmp_path: Path) -> None:
    rows = _rows(samples)
    broken = json.loads(rows[1])
    broken["inputs"]["messages"][0][0]["id"] = ["langchain", "OddMessage"]
    broken["inputs"]["messages"][0][0]["kwargs"]["type"] = "odd"
    path = _written(tmp_path, [rows[0], json.dumps(broken), '{"inputs": {}}', *rows[2:], "[1"])
    found = list(FORMAT.read(TraceFile(path)))
    problems = [str(each) for each in found if isinstance(each, TraceProblem)]
    assert any(":3: a run without an id" in problem for problem in problems)
    assert any(":6: no JSON" in problem for problem in problems)
    assert any("span 'r2' ChatModel: a message without a role" in each for each in problems)
    (episode,) = [each for each in found if isinstance(each, Episode)]
    assert episode.final_answer == "It is 5."


def _rows(samples: Path) -> list[str]:
    return (samples / "langsmith/runs.jsonl").read_text(encoding="utf-8").splitlines()


def _written(folder: Path, rows: list[str]) -> Path:
    path = folder / "runs.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def _episodes(*paths: Path) -> list[Episode]:
    found = list(read_paths(paths))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]
