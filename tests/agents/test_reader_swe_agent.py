"""Trajectories of SWE-agent and of mini-swe-agent."""

from __future__ import annotations

import json
from pathlib import Path

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import find_format, read_paths
from post_training_toolkit.agents.readers.records import TraceFile


def test_no_message_and_no_call_of_a_real_trajectory_is_lost(traces: Path) -> None:
    for path in sorted((traces / "swe_agent_traj").glob("*.traj")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        (episode,) = _episodes(path)
        history = raw["history"]
        kept = episode.messages[: len(history)]
        assert [each.content for each in kept] == [item["content"] for item in history]
        logged = sum(len(item.get("tool_calls") or ()) for item in history)
        assert len(list(episode.tool_calls)) == logged
        steps = len(raw.get("trajectory", ()))
        spoke = [each for each in episode.messages if each.role is Role.ASSISTANT]
        assert len(spoke) >= steps
        ids = {call.id for call in episode.tool_calls}
        assert all(each.tool_call_id in ids for each in kept if each.role is Role.TOOL)
        assert episode.success is None


def test_the_outcome_of_a_real_run_is_its_exit_status_and_cost(traces: Path) -> None:
    (path,) = (traces / "swe_agent_traj").glob("*pydicom-1458.traj")
    (episode,) = _episodes(path)
    assert (episode.end_reason, episode.cost) == ("submitted", 1.26719)
    assert (episode.prompt_tokens, episode.completion_tokens) == (122612, 1369)
    assert episode.messages[1].extra == {"agent": "primary", "is_demo": True}
    assert not list(episode.tool_calls)


def test_the_last_answer_comes_from_the_steps_where_the_history_stops_before_it(
    samples: Path,
) -> None:
    (episode,) = _episodes(samples / "swe-agent/run.traj")
    assert episode.messages[1].content == "Fix a.py"
    last = episode.messages[-1]
    assert (last.content, last.extra) == ("I submit.", {"action": "submit", "observation": "done"})
    assert (episode.task, episode.ended) == ("run", True)


def test_a_run_without_an_exit_status_broke_off(samples: Path, tmp_path: Path) -> None:
    run = json.loads((samples / "swe-agent/run.traj").read_text(encoding="utf-8"))
    run["info"]["exit_status"] = None
    (episode,) = _episodes(_written(tmp_path / "run.traj", run))
    assert not episode.ended


def test_each_attempt_of_a_retrying_agent_is_an_episode(samples: Path, tmp_path: Path) -> None:
    run = json.loads((samples / "swe-agent/run.traj").read_text(encoding="utf-8"))
    episodes = _episodes(_written(tmp_path / "task.traj", {"attempts": [run, run], "info": {}}))
    assert [(each.id, each.task, each.trial) for each in episodes] == [
        ("task/1", "task", 1),
        ("task/2", "task", 2),
    ]


def test_a_broken_message_is_reported_with_its_place(samples: Path, tmp_path: Path) -> None:
    run = json.loads((samples / "swe-agent/run.traj").read_text(encoding="utf-8"))
    run["history"][1]["role"] = "narrator"
    run["history"][3] = 4
    found = list(read_paths([_written(tmp_path / "run.traj", run)]))
    problems = [str(each) for each in found if isinstance(each, TraceProblem)]
    assert ":1: history[1]: no role 'narrator'; there are system" in problems[0]
    assert problems[1].endswith(":1: history[3]: a message is an object")
    assert len([each for each in found if isinstance(each, Episode)]) == 1


def test_a_real_bare_list_of_mini_swe_agent_keeps_commands_in_their_text(traces: Path) -> None:
    path = traces / "mini_swe_agent/github_issue.traj.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    (episode,) = _episodes(path)
    assert [(each.role, each.content) for each in episode.messages] == [
        (item["role"], item["content"]) for item in raw
    ]
    assert not list(episode.tool_calls)
    assert episode.id == "github_issue"


def test_the_second_version_of_mini_swe_agent_has_calls_codes_and_costs(samples: Path) -> None:
    (episode,) = _episodes(samples / "mini-swe-agent/run.traj.json")
    assert [each.role for each in episode.messages[2:]] == [
        Role.ASSISTANT,
        Role.TOOL,
        Role.ASSISTANT,
        Role.TOOL,
    ]
    assert [call.id for call in episode.tool_calls] == ["c1", "c2"]
    assert [each.tool_call_id for each in episode.messages if each.role is Role.TOOL] == [
        "c1",
        "c2",
    ]
    assert [each.failed for each in episode.messages if each.role is Role.TOOL] == [True, False]
    assert episode.messages[4].reasoning == "Done."
    assert (episode.end_reason, episode.cost, episode.model) == ("Submitted", 0.02, "small")
    assert (episode.prompt_tokens, episode.completion_tokens) == (40, 6)


def test_a_list_of_messages_without_its_marks_is_not_taken_for_mini_swe_agent(
    tmp_path: Path,
) -> None:
    path = _written(tmp_path / "chat.json", [{"role": "user", "content": "hi"}])
    found = find_format(TraceFile(path))
    assert found is None or found.name != "mini-swe-agent"


def _written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _episodes(*paths: Path) -> list[Episode]:
    found = list(read_paths(paths))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]
