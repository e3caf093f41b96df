"""Sessions of Claude Code: a tree of lines that becomes conversations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import find_format, read_paths
from post_training_toolkit.agents.readers.records import TraceFile

SESSION = "claude-code/session.jsonl"


def read(path: Path) -> list[Episode]:
    found = list(read_paths([path]))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def line(uuid: str, parent: str | None, content: Any, kind: str = "user") -> dict[str, Any]:
    message = {"role": kind, "content": content}
    return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s", "message": message}


def write(path: Path, lines: Sequence[Any]) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in lines), encoding="utf-8")
    return path


def test_each_real_session_is_read_into_its_conversations(traces: Path) -> None:
    folder = traces / "claude_code_session"
    counts = {path.name: len(_episodes(path)) for path in sorted(folder.glob("*.jsonl"))}
    assert counts == {
        "agent-atest01.jsonl": 1,
        "clear_split_session.jsonl": 2,
        "edge_cases.jsonl": 2,
        "sample_session.jsonl": 1,
        "session_b.jsonl": 1,
        "simple_conversation.jsonl": 1,
        "slug_clear_session.jsonl": 2,
        "slug_multi_clear_file2.jsonl": 2,
        "slug_session_2.jsonl": 1,
    }


def test_no_call_and_no_token_of_a_real_session_is_lost(traces: Path) -> None:
    for path in (traces / "claude_code_session").glob("*.jsonl"):
        lines = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
        said = [each["message"] for each in lines if _is_said(each)]
        blocks = [block for each in said for block in each["content"] if isinstance(block, dict)]
        episodes = _episodes(path)
        called = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert [call.id for each in episodes for call in each.tool_calls] == called
        wrote = sum(each.get("usage", {}).get("output_tokens", 0) for each in said)
        assert sum(each.completion_tokens or 0 for each in episodes) == wrote


def test_broken_lines_of_a_real_session_are_told_and_the_others_are_read(traces: Path) -> None:
    found = list(read_paths([traces / "claude_code_session/edge_cases.jsonl"]))
    problems = [each for each in found if isinstance(each, TraceProblem)]
    assert [each.line for each in problems] == [10, 11, 13, 14, 15, 16]
    episode = next(each for each in found if isinstance(each, Episode))
    assert episode.unread_lines == (10, 11, 13, 14, 15, 16)
    (failed,) = (each for each in episode.messages if each.role is Role.TOOL)
    assert (failed.tool_call_id, failed.failed) == ("tool_edge_001", True)


def test_only_sessions_are_taken_for_them(traces: Path) -> None:
    for path in traces.rglob("*.json*"):
        found = find_format(TraceFile(path))
        is_session = path.parent.name == "claude_code_session"
        assert (found is not None and found.name == "claude-code") == is_session, path


def test_an_answer_over_several_lines_is_one_message_whose_usage_counts_once(
    samples: Path,
) -> None:
    first = read(samples / SESSION)[0]
    (answer,) = (each for each in first.messages if each.tool_calls)
    assert (answer.content, answer.reasoning) == ("I read two files.", "Look at both.")
    assert [call.id for call in answer.tool_calls] == ["t1", "t2"]
    assert answer.model_call == ModelCall(100, 40, None, "tool_use")
    assert (first.prompt_tokens, first.completion_tokens) == (220, 48)


def test_the_results_of_parallel_calls_are_on_the_branch_that_is_read(samples: Path) -> None:
    first = read(samples / SESSION)[0]
    results = [each for each in first.messages if each.role is Role.TOOL]
    assert [(each.tool_call_id, each.content, each.failed) for each in results] == [
        ("t1", "total = price", None),
        ("t2", "no such file", True),
    ]


def test_an_edited_prompt_takes_the_place_of_the_one_before(samples: Path) -> None:
    first = read(samples / SESSION)[0]
    asked = [each for each in first.messages if each.role is Role.USER]
    assert [each.content for each in asked][1:] == ["Why is the price of a basket wrong?"]
    assert asked[0].extra == {"isMeta": True}
    assert first.metadata["abandoned_messages"] == 2


def test_a_summary_of_the_history_opens_an_episode(samples: Path) -> None:
    first, _, last = read(samples / SESSION)
    assert (first.end_reason, first.ended) == ("compact_boundary", False)
    assert last.id == "s-1/2"
    assert last.messages[0].content == "Summary: the tax is missing in the basket."


def test_a_summary_within_a_chain_of_lines_opens_an_episode_too(tmp_path: Path) -> None:
    lines = [line("a", None, "1"), line("b", "a", "2", "assistant")]
    lines += [{**line("c", "b", "so far"), "isCompactSummary": True}, line("d", "c", "3")]
    first, last = read(write(tmp_path / "s.jsonl", lines))
    assert (first.end_reason, first.final_answer) == ("compact_boundary", "2")
    assert [each.content for each in last.messages] == ["so far", "3"]


def test_what_the_program_wrote_in_the_models_name_is_no_message(samples: Path) -> None:
    last = read(samples / SESSION)[-1]
    assert (last.end_reason, last.ended) == ("API Error: overloaded", False)
    assert last.messages[-1].role is Role.TOOL
    assert (last.messages[-1].content, last.messages[-1].left_out) == (None, ("image",))


def test_a_subagent_is_an_episode_of_its_own(samples: Path) -> None:
    side = read(samples / SESSION)[1]
    assert (side.id, side.metadata["sidechain"]) == ("s-1/f00", True)
    assert [each.content for each in side.messages] == ["List the tests.", "There are none."]


def test_lines_behind_one_that_is_lost_stay_in_their_conversation(tmp_path: Path) -> None:
    lines: list[Any] = [line("a", None, "1"), line("b", "a", "2", "assistant")]
    lines += [line("d", "c", "3"), line("e", "d", "4", "assistant")]
    (episode,) = read(write(tmp_path / "s.jsonl", lines))
    assert [each.content for each in episode.messages] == ["1", "2", "3", "4"]


def test_two_first_prompts_are_two_conversations(tmp_path: Path) -> None:
    lines = [line("a", None, "1"), line("b", "a", "2", "assistant")]
    lines += [line("c", None, "3"), line("d", "c", "4", "assistant")]
    found = read(write(tmp_path / "s.jsonl", lines))
    assert [each.id for each in found] == ["s", "s/2"]
    assert [each.final_answer for each in found] == ["2", "4"]


def test_lines_that_a_resumed_session_repeats_are_read_once(tmp_path: Path) -> None:
    lines = [line("a", None, "1"), line("b", "a", "2", "assistant")]
    (episode,) = read(write(tmp_path / "s.jsonl", [*lines, *lines, line("c", "b", "3")]))
    assert [each.content for each in episode.messages] == ["1", "2", "3"]


def test_lines_that_name_each_other_in_a_circle_are_read(tmp_path: Path) -> None:
    (episode,) = read(write(tmp_path / "s.jsonl", [line("a", "b", "1"), line("b", "a", "2")]))
    assert [each.content for each in episode.messages] == ["1", "2"]


def test_a_message_of_an_unknown_type_or_role_is_told_with_its_line(tmp_path: Path) -> None:
    odd = line("b", "a", "x")
    odd["message"]["role"] = "robot"
    path = write(
        tmp_path / "s.jsonl",
        [line("a", None, "1"), odd, {**line("c", "a", "x"), "type": "oracle"}],
    )
    first, second, episode = read_paths([path])
    assert str(first).endswith("s.jsonl:2: no role 'robot'; there are user, assistant, system")
    assert "s.jsonl:3: no type 'oracle'" in str(second)
    assert isinstance(episode, Episode)


def _episodes(path: Path) -> list[Episode]:
    return [each for each in read_paths([path]) if isinstance(each, Episode)]


def _is_said(line: Any) -> bool:
    message = line.get("message") if isinstance(line, dict) else None
    return isinstance(message, dict) and isinstance(message.get("content"), (str, list))
