"""ATIF trajectories, and the outcome of their trials."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import find_format, read_paths
from post_training_toolkit.agents.readers.records import TraceFile

TRIAL = "atif/fix-parser__aB3"


def read(path: Path) -> list[Episode]:
    found = list(read_paths([path]))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def step(number: int, source: str, message: str, **more: Any) -> dict[str, Any]:
    return {"step_id": number, "source": source, "message": message, **more}


def write(path: Path, *steps: Any, **more: Any) -> Path:
    agent = {"name": "walker", "version": "1", **more.pop("agent", {})}
    trajectory = {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": agent, **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**trajectory, "steps": steps}), encoding="utf-8")
    return path


def test_nothing_of_a_real_trajectory_is_lost(traces: Path) -> None:
    paths = sorted((traces / "atif").glob("*.json"))
    assert len(paths) == 5
    for path in paths:
        raw = json.loads(path.read_text(encoding="utf-8"))
        (episode,) = read(path)
        calls = [call for each in raw["steps"] for call in each.get("tool_calls") or ()]
        assert [(each.name, each.id, each.arguments) for each in episode.tool_calls] == [
            (each["function_name"], each["tool_call_id"], each["arguments"]) for each in calls
        ]
        said = {each.step: each.content for each in reversed(episode.messages)}
        assert said == {each["step_id"]: each["message"] for each in raw["steps"]}
        totals = raw["final_metrics"]
        assert episode.prompt_tokens == totals["total_prompt_tokens"]
        assert episode.cost == totals["total_cost_usd"]
        assert episode.success is None


def test_each_result_of_a_real_trajectory_is_tied_to_its_call(traces: Path) -> None:
    (path,) = (traces / "atif").glob("*summarization.trajectory.json")
    (episode,) = read(path)
    called = [each.id for each in episode.tool_calls]
    answered = [each.tool_call_id for each in episode.messages if each.role is Role.TOOL]
    assert called == answered
    assert len(called) == 7


def test_what_a_continuation_repeats_is_context_without_a_cost(traces: Path) -> None:
    (path,) = (traces / "atif").glob("*cont-1.json")
    (episode,) = read(path)
    copied = [each for each in episode.messages if (each.extra or {}).get("is_copied_context")]
    assert [each.step for each in copied] == [1, 2, 3, 4]
    assert all(each.model_call is None for each in copied)
    assert episode.id.endswith("/1")


def test_what_a_repeated_step_cost_is_counted_where_it_was_made(tmp_path: Path) -> None:
    metrics = {"prompt_tokens": 5, "completion_tokens": 2}
    path = write(
        tmp_path / "t.json",
        step(1, "agent", "a", metrics=metrics, is_copied_context=True),
        step(2, "agent", "b", metrics=metrics),
    )
    (episode,) = read(path)
    assert (episode.prompt_tokens, episode.completion_tokens) == (5, 2)


def test_only_atif_is_taken_for_it(traces: Path) -> None:
    for path in traces.rglob("*.json*"):
        found = find_format(TraceFile(path))
        assert (found is not None and found.name == "atif") == (path.parent.name == "atif"), path


def test_the_verdict_on_a_trial_is_that_of_its_main_trajectory(samples: Path) -> None:
    main, search = read(samples / TRIAL / "agent")
    assert (main.task, main.trial) == ("fix-parser", "fix-parser__aB3")
    assert (main.success, main.reward) == (True, 1.0)
    assert (main.model, main.cost) == ("small-model", 0.003)
    assert search.id == "run-7-main/run-7-search"
    assert (search.task, search.success, search.prompt_tokens) == (None, None, 9)


def test_parallel_calls_stay_together_and_odd_arguments_are_kept_as_text(samples: Path) -> None:
    main = read(samples / TRIAL / "agent")[0]
    assert main.messages[1].left_out == ("image",)
    both = main.messages[2]
    assert [call.id for call in both.tool_calls] == ["c1", "c2"]
    assert both.reasoning == "Perhaps an off by one."
    assert both.extra == {"timestamp": "2026-03-01T10:00:00Z", "metrics": {"cached_tokens": 120}}
    assert [each.tool_call_id for each in main.messages[3:5]] == ["c2", "c1"]
    (odd,) = main.messages[5].tool_calls
    assert (odd.arguments, odd.unparsed) == ({}, "sed -i s/-1// parser.py")
    assert main.messages[6].tool_call_id == "c3"


@pytest.mark.parametrize(
    ("rewards", "success", "reward"),
    [
        ({"reward": 0}, False, 0.0),
        ({"reward": 0.5}, None, 0.5),
        ({"tests": 1}, True, 1.0),
        ({"tests": 1, "style": 0}, None, None),
        (None, None, None),
    ],
)
def test_a_reward_of_1_is_a_success_and_what_lies_between_is_not_judged(
    tmp_path: Path, rewards: Any, success: bool | None, reward: float | None
) -> None:
    write(tmp_path / "t/agent/trajectory.json", step(1, "agent", "done"))
    result = {
        "task_name": "t",
        "trial_name": "t__1",
        "verifier_result": {"rewards": rewards},
        "exception_info": {"exception_type": "AgentTimeoutError"},
    }
    (tmp_path / "t/result.json").write_text(json.dumps(result), encoding="utf-8")
    (episode,) = read(tmp_path)
    assert (episode.success, episode.reward) == (success, reward)
    assert episode.end_reason == "AgentTimeoutError"


def test_each_step_of_a_trial_has_its_own_verdict(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / f"t/steps/{name}/agent/trajectory.json", step(1, "agent", name))
    results = [
        {"step_name": name, "verifier_result": {"rewards": {"reward": reward}}}
        for name, reward in (("one", 1), ("two", 0))
    ]
    whole = {"task_name": "t", "trial_name": "t__1", "step_results": results}
    (tmp_path / "t/result.json").write_text(json.dumps(whole), encoding="utf-8")
    assert [(each.task, each.success) for each in read(tmp_path)] == [
        ("t/one", True),
        ("t/two", False),
    ]


def test_a_trial_is_judged_once_however_many_trajectories_it_has(
    samples: Path, tmp_path: Path
) -> None:
    shutil.copy(samples / TRIAL / "result.json", tmp_path)
    one = step(1, "agent", "x")
    write(
        tmp_path / "agent/trajectory.json", one, continued_trajectory_ref="trajectory.cont-1.json"
    )
    last = {"extra": {"continuation_index": 1}}
    write(tmp_path / "agent/trajectory.cont-1.json", one, agent=last)
    helper = {"extra": {"parent_session_id": "s"}}
    write(tmp_path / "agent/trajectory.summary.json", one, agent=helper, session_id="s-sum")
    write(tmp_path / "user-agent/trajectory.json", one, session_id="user")
    found = {each.id: (each.success, each.ended) for each in read(tmp_path)}
    assert found == {
        "s": (None, False),
        "s/1": (True, True),
        "s-sum": (None, True),
        "user": (None, True),
    }


def test_a_bad_step_is_told_by_its_place_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "trajectory.json",
        step(1, "user", "go"),
        step(2, "robot", "x"),
        7,
        step(4, "agent", "x", tool_calls=[{"arguments": {}}]),
        step(5, "agent", "x", observation={"results": [3]}),
        step(6, "agent", "done"),
    )
    *problems, episode = read_paths([path])
    assert [str(each).partition(".json:1: ")[2] for each in problems] == [
        "steps[1]: no source 'robot'; there are system, user, agent",
        "steps[2]: a step is an object",
        "steps[3]: a tool call without function_name",
        "steps[4]: observation.results is a list of objects",
    ]
    assert isinstance(episode, Episode)
    assert [each.content for each in episode.messages] == ["go", "done"]


def test_a_result_that_is_no_json_is_told_and_the_trajectory_is_read(tmp_path: Path) -> None:
    write(tmp_path / "agent/trajectory.json", step(1, "agent", "done"))
    (tmp_path / "result.json").write_text("{", encoding="utf-8")
    problem, episode = read_paths([tmp_path / "agent"])
    assert isinstance(problem, TraceProblem)
    assert problem.source.endswith("result.json")
    assert isinstance(episode, Episode)
    assert episode.success is None


def test_a_screen_that_answers_no_call_is_said_by_the_user(tmp_path: Path) -> None:
    screen = {"results": [{"content": "$ "}]}
    path = write(tmp_path / "t.json", step(1, "agent", "ls", observation=screen))
    (episode,) = read(path)
    assert [(each.role, each.content) for each in episode.messages] == [
        (Role.ASSISTANT, "ls"),
        (Role.USER, "$ "),
    ]
