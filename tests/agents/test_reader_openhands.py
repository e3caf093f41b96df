"""OpenHands: rows of evaluations and event streams, before and since its SDK."""

from __future__ import annotations

import json
from pathlib import Path

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import read_paths


def test_no_call_and_no_result_of_a_real_row_is_lost(traces: Path) -> None:
    path = traces / "openhands_output/multi_swe_bench_output.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row, episode in zip(rows, _episodes(path), strict=True):
        events = row["history"]
        named = {
            event["tool_call_metadata"]["tool_call_id"]
            for event in events
            if "tool_call_metadata" in event
        }
        results = [event for event in events if "observation" in event]
        told = [event for event in results if event["observation"] != "recall"]
        tools = [each for each in episode.messages if each.role is Role.TOOL]
        assert {call.id for call in episode.tool_calls} == named
        assert len(list(episode.tool_calls)) == len(named)
        answered = {each.tool_call_id for each in tools}
        assert answered <= named
        spoken = [each.content for each in episode.messages]
        assert all(event["content"] in spoken for event in told)
        assert episode.id == episode.task == row["instance_id"]
        assert len(episode.tools or ()) == 4
        usage = row["metrics"]["accumulated_token_usage"]
        assert episode.prompt_tokens == usage["prompt_tokens"]


def test_a_run_that_died_says_why(traces: Path) -> None:
    finished, died = _episodes(traces / "openhands_output/multi_swe_bench_output.jsonl")
    assert (finished.end_reason, finished.ended) == ("finish", True)
    assert "maximum iteration" in (died.end_reason or "")
    assert (finished.success, died.success) == (None, None)


def test_a_judged_row_of_the_first_version_has_its_outcome_and_cost(traces: Path) -> None:
    (episode,) = _episodes(traces / "openhands_output/resolver_output.jsonl")
    assert (episode.success, episode.cost, episode.id) == (True, 0.070713, "5")
    assert [call.name for call in episode.tool_calls] == ["run", "run_ipython", "run", "finish"]
    assert [each.role for each in episode.messages[:3]] == [Role.USER, Role.ASSISTANT, Role.TOOL]


def test_an_exported_list_of_events_is_one_episode(traces: Path) -> None:
    (talk,) = _episodes(traces / "openhands_output/basic_interactions.json")
    assert [each.role for each in talk.messages] == [Role.USER, Role.ASSISTANT] * 3
    (work,) = _episodes(traces / "openhands_output/basic.json")
    assert (work.model, work.end_reason) == ("claude-3-5-sonnet-20241022", "finish")


def test_a_real_stream_of_the_sdk_ties_results_to_calls(traces: Path) -> None:
    (episode,) = _episodes(traces / "openhands_sdk_events/events.jsonl")
    assert len(list(episode.tool_calls)) == 2
    assert [each.failed for each in episode.messages if each.role is Role.TOOL] == [
        True,
        True,
        False,
    ]
    assert (episode.prompt_tokens, episode.completion_tokens) == (107458, 1347)
    assert not episode.ended


def test_parallel_calls_stay_in_one_message_with_the_results_behind_it(samples: Path) -> None:
    for name in ("output.jsonl", "sdk_events.jsonl"):
        episode = _episodes(samples / "openhands" / name)[0]
        system, user, asks, first, second, done = episode.messages
        assert (system.role, user.content) == (Role.SYSTEM, "Fix a.py")
        assert [call.id for call in asks.tool_calls] == ["c1", "c2"]
        assert [(each.tool_call_id, each.failed) for each in (first, second)] == [
            ("c1", False),
            ("c2", True),
        ]
        assert (done.content, episode.end_reason, episode.ended) == ("Done.", "finish", True)


def test_arguments_that_are_no_json_are_kept_as_text(samples: Path) -> None:
    (episode,) = _episodes(samples / "openhands/sdk_events.jsonl")
    assert [call.unparsed for call in episode.tool_calls] == [None, '{"command"', None]
    assert (episode.model, episode.cost) == ("small", 0.1 + 0.2)
    assert episode.metadata["events_left_out"] == {"PauseEvent": 1}


def test_pairs_of_the_first_version_and_reports_of_tests_are_read(samples: Path) -> None:
    judged, pairs = _episodes(samples / "openhands/output.jsonl")
    assert (judged.success, judged.cost, judged.prompt_tokens) == (False, 0.25, 100)
    assert [each.content for each in pairs.messages] == ["Fix b.py", "I look.", "b.py"]
    assert (pairs.success, pairs.messages[2].failed, pairs.ended) == (True, True, False)


def test_a_broken_event_is_reported_with_its_line_or_place(samples: Path, tmp_path: Path) -> None:
    rows = (samples / "openhands/sdk_events.jsonl").read_text(encoding="utf-8").splitlines()
    broken = json.loads(rows[1])
    broken["llm_message"]["role"] = "narrator"
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([rows[0], json.dumps(broken), '{"x": 1}', *rows[2:]]))
    problems = _problems(path)
    assert ":3: neither an event nor a row" in problems[0]
    assert ":2: no role 'narrator'" in problems[1]
    row = json.loads((samples / "openhands/output.jsonl").read_text().splitlines()[0])
    row["history"][1]["source"] = "narrator"
    path.write_text(json.dumps(row))
    assert ":1: task-1: history[1]: no speaker 'narrator'" in _problems(path)[0]


def _problems(path: Path) -> list[str]:
    found = list(read_paths([path]))
    assert len([each for each in found if isinstance(each, Episode)]) == 1
    return [str(each) for each in found if isinstance(each, TraceProblem)]


def _episodes(*paths: Path) -> list[Episode]:
    found = list(read_paths(paths))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]
