"""Chat messages of any kind become episodes, with what stands beside them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents import AgentRunLog, Role, ToolCall, TraceError
from post_training_toolkit.agents.readers.choose import find_format
from post_training_toolkit.agents.readers.records import TraceFile

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'},
}
CHAT = [
    {"role": "developer", "content": "Be brief"},
    {"role": "user", "content": [{"type": "text", "text": "1 + 2?"}, {"type": "image_url"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Easy"},
    {"role": "tool", "tool_call_id": "c1", "content": "3"},
    {"role": "assistant", "content": "3"},
]


def lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def format_of(path: Path) -> str | None:
    found = find_format(TraceFile(path))
    return None if found is None else found.name


def test_a_row_of_messages_is_an_episode_with_all_that_stands_beside_it(tmp_path: Path) -> None:
    row = {
        "id": "run-1",
        "task_id": 17,
        "attempt": 2,
        "model": "m",
        "resolved": 1,
        "score": 0.75,
        "tools": [{"type": "function", "function": {"name": "add"}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "total_cost": 0.5,
        "stop_reason": "max_turns",
        "category": "maths",
        "team": "blue",
        "metadata": {"seed": 3},
        "messages": CHAT,
    }
    path = lines(tmp_path / "chat.jsonl", row)
    assert format_of(path) == "openai-chat"
    [episode] = AgentRunLog.read(path)
    assert (episode.id, episode.task, episode.trial, episode.model) == ("run-1", "17", 2, "m")
    assert (episode.success, episode.reward, episode.cost) == (True, 0.75, 0.5)
    assert (episode.prompt_tokens, episode.total_tokens) == (10, 15)
    assert (episode.end_reason, episode.prompt_type) == ("max_turns", "maths")
    assert episode.metadata == {"team": "blue", "seed": 3}
    assert episode.tools is not None
    assert episode.tools[0]["function"]["name"] == "add"
    assert episode.system == "Be brief"
    asked, called, result, answer = episode.messages[1:]
    assert (asked.content, asked.left_out) == ("1 + 2?", ("image_url",))
    assert called.tool_calls == (ToolCall("add", {"a": 1, "b": 2}, id="c1"),)
    assert (called.content, called.reasoning) == (None, "Easy")
    assert (result.role, result.content, result.tool_call_id) == (Role.TOOL, "3", "c1")
    assert answer.content == "3"


def test_bare_lists_legacy_calls_requests_and_their_answers_are_read(tmp_path: Path) -> None:
    document = tmp_path / "one.json"
    document.write_text(json.dumps(CHAT, indent=1))
    legacy = [
        {"role": "user", "content": "1 + 2?"},
        {"role": "assistant", "function_call": {"name": "add", "arguments": "{bad"}},
        {"role": "function", "name": "add", "content": "error"},
    ]
    logged = {
        "request": {"model": "m", "messages": CHAT[:2]},
        "response": {
            "id": "chatcmpl-1",
            "choices": [{"message": {"role": "assistant", "content": "3"}}],
            "usage": {"total_tokens": 9},
        },
    }
    log = AgentRunLog.read(document, lines(tmp_path / "more.jsonl", legacy, logged))
    assert [len(episode.messages) for episode in log] == [5, 3, 3]
    assert log[1].messages[1].tool_calls[0].unparsed == "{bad"
    assert (log[1].messages[2].role, log[1].messages[2].name) == (Role.TOOL, "add")
    assert log[2].final_answer == "3"
    assert (log[2].id, log[2].model, log[2].total_tokens) == ("chatcmpl-1", "m", 9)


def test_a_message_a_line_and_prompts_with_completions_are_read(tmp_path: Path) -> None:
    [one] = AgentRunLog.read(lines(tmp_path / "one.jsonl", *CHAT))
    assert [message.role for message in one.messages] == [
        *(Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
    ]
    row = {"prompt": CHAT[:2], "completion": CHAT[2:], "reward": 0.5}
    [other] = AgentRunLog.read(lines(tmp_path / "rows.jsonl", row))
    assert other.messages == one.messages
    assert other.reward == 0.5


def test_items_of_the_responses_api_are_read(tmp_path: Path) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'}
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "3"}],
    }
    items = [
        {"role": "user", "content": "1 + 2?"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Easy"}]},
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        said,
    ]
    whole = {"instructions": "Be brief", "input": "1 + 2?", "output": [call, said], "model": "m"}
    log = AgentRunLog.read(lines(tmp_path / "items.jsonl", items, whole))
    first, second = log
    assert next(first.tool_calls).arguments == {"a": 1}
    result = next(message for message in first.messages if message.role is Role.TOOL)
    assert (result.content, result.tool_call_id) == ("3", "c1")
    assert first.final_answer == second.final_answer == "3"
    assert second.system == "Be brief"
    assert second.messages[1].content == "1 + 2?"


def test_a_bad_row_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "chat.jsonl",
        {"messages": CHAT},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": []},
        {"messages": CHAT},
    )
    with pytest.raises(TraceError) as raised:
        AgentRunLog.read(path)
    told = [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]
    assert told[0].startswith("2: message 1: no role 'robot'; there are ")
    assert told[1] == "3: no list of messages with a role each"
    assert len(AgentRunLog.read(path, skip_bad=True)) == 2


def test_rows_of_tau_bench_are_trials_with_their_outcome(traces: Path) -> None:
    [path] = (traces / "tau_bench").glob("*.json")
    assert format_of(path) == "tau-bench"
    log = AgentRunLog.read(path)
    raw = json.loads(path.read_text())
    assert len(log) == len(raw)
    assert len({episode.id for episode in log}) == len(raw)
    assert {len(set(trials)) for trials in _trials(log).values()} <= {1, 2, 3, 4}
    for episode, row in zip(log, raw, strict=True):
        assert episode.success is (row["reward"] == 1.0)
        assert (episode.task, episode.trial) == (str(row["task_id"]), row["trial"])
        assert [str(message.role) for message in episode.messages] == [
            message["role"] for message in row["traj"]
        ]
        calls = [call for message in row["traj"] for call in message.get("tool_calls") or ()]
        assert [call.id for call in episode.tool_calls] == [call["id"] for call in calls]
        assert [call.arguments for call in episode.tool_calls] == [
            json.loads(call["function"]["arguments"]) for call in calls
        ]


def _trials(log: AgentRunLog) -> dict[str | None, list[Any]]:
    trials: dict[str | None, list[Any]] = {}
    for episode in log:
        trials.setdefault(episode.task, []).append(episode.trial)
    return trials


def test_calls_of_the_user_in_tau2_bench_are_not_the_agent_s(tmp_path: Path) -> None:
    user_call = {"id": "u1", "name": "check_phone", "arguments": {}, "requestor": "user"}
    agent_call = {"id": "a1", "name": "refund", "arguments": {"order": 3}, "requestor": "assistant"}
    simulation = {
        "id": "s1",
        "task_id": "t1",
        "trial": 0,
        "messages": [
            {"role": "user", "content": "It does not work"},
            {"role": "user", "content": None, "tool_calls": [user_call]},
            {"role": "tool", "id": "u1", "content": "no signal", "requestor": "user"},
            {"role": "assistant", "content": None, "tool_calls": [agent_call], "cost": 0.1},
            {"role": "tool", "id": "a1", "content": "done", "requestor": "assistant"},
        ],
        "reward_info": {"reward": 0.0},
        "termination_reason": "user_stop",
        "agent_cost": 0.25,
    }
    results = {"info": {"agent_info": {"llm": "m"}}, "tasks": [], "simulations": [simulation, {}]}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results, indent=1))
    assert format_of(path) == "tau-bench"
    log = AgentRunLog.read(path, skip_bad=True)
    [episode] = log
    assert [call.name for call in episode.tool_calls] == ["refund"]
    assert (episode.success, episode.reward, episode.cost) == (False, 0.0, 0.25)
    assert (episode.end_reason, episode.model) == ("user_stop", "m")
    assert str(log.problems[0]).endswith("simulation 2: no simulation: it needs messages")


def test_runs_of_who_and_when_keep_the_numbers_of_their_steps(traces: Path) -> None:
    for path in sorted((traces / "who_and_when").glob("*.json")):
        assert format_of(path) == "who-and-when"
        raw = json.loads(path.read_text())
        [episode] = AgentRunLog.read(path)
        assert episode.success is False
        assert episode.metadata["mistake_step"] == int(raw["mistake_step"])
        numbered = [message for message in episode.messages if message.step is not None]
        assert [message.step for message in numbered] == list(range(len(raw["history"])))
        assert [message.content for message in numbered] == [
            said["content"] for said in raw["history"]
        ]
        assert any(message.role is Role.USER for message in episode.messages)


def test_what_a_terminal_says_is_a_tool_s_answer_that_may_have_failed(tmp_path: Path) -> None:
    history = [
        {"role": "assistant", "name": "Coder", "content": "```python\n1 / 0\n```"},
        {"role": "user", "name": "Computer_terminal", "content": "exitcode: 1 (execution failed)"},
        {
            "role": "user",
            "name": "Computer_terminal",
            "content": "exitcode: 0 (execution succeeded)",
        },
        {"role": "user", "name": "Verifier", "content": "TERMINATE"},
    ]
    run = {"question": "?", "history": history, "mistake_step": "0", "is_correct": False}
    path = lines(tmp_path / "run.jsonl", run, {"history": [{"content": "x"}], "mistake_step": 0})
    log = AgentRunLog.read(path, skip_bad=True)
    assert [(each.role, each.name, each.failed) for each in log[0].messages] == [
        (Role.USER, None, None),
        (Role.ASSISTANT, "Coder", None),
        (Role.TOOL, "Computer_terminal", True),
        (Role.TOOL, "Computer_terminal", False),
        (Role.ASSISTANT, "Verifier", None),
    ]
    assert "message 0 has no role" in str(log.problems[0])


def test_conversations_of_sharegpt_keep_every_call_and_result(traces: Path) -> None:
    for path in sorted((traces / "sharegpt_toolcall").glob("*.json")):
        assert format_of(path) == "sharegpt"
        raw = json.loads(path.read_text())
        log = AgentRunLog.read(path)
        assert len(log) == len(raw) == 150
        said = Counter(turn["from"] for row in raw for turn in row["conversations"])
        assert sum(1 for each in log for _ in each.tool_calls) == said["function_call"]
        roles = Counter(message.role for episode in log for message in episode.messages)
        assert roles[Role.TOOL] == said["observation"]
        assert roles[Role.USER] == said["human"]
        for episode, row in zip(log, raw, strict=True):
            assert len(episode.tools or ()) == len(json.loads(row["tools"]))
            assert all(call.unparsed is None for call in episode.tool_calls)
            assert episode.success is None


def test_calls_in_the_tags_of_hermes_become_calls(tmp_path: Path) -> None:
    system = (
        'You may call tools. <tools>\n{"name": "add", "parameters": {"type": "object"}}\n</tools>'
    )
    row = {
        "conversations": [
            {"from": "system", "value": system},
            {"from": "human", "value": "1 + 2 and 3 + 4?"},
            {
                "from": "gpt",
                "value": "<think>\nTwo sums\n</think>\nLet me see\n<tool_call>\n"
                '{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>\n'
                '<tool_call>\n{"name": "add", "arguments": {"a": 3,\n</tool_call>',
            },
            {
                "from": "tool",
                "value": "<tool_response>\n3\n</tool_response>\n"
                "<tool_response>\nbad call\n</tool_response>",
            },
            {"from": "gpt", "value": "3, and I do not know."},
        ],
        "completed": True,
    }
    log = AgentRunLog.read(
        lines(tmp_path / "hermes.jsonl", row, {"conversations": [{"from": "x"}]}), skip_bad=True
    )
    [episode] = log
    called = episode.messages[2]
    assert (called.content, called.reasoning) == ("Let me see", "Two sums")
    assert called.tool_calls[0] == ToolCall("add", {"a": 1, "b": 2})
    assert called.tool_calls[1].unparsed == '{"name": "add", "arguments": {"a": 3,'
    results = [message for message in episode.messages if message.role is Role.TOOL]
    assert [(each.content, each.name) for each in results] == [("3", "add"), ("bad call", None)]
    assert [tool["function"]["name"] for tool in episode.tools or ()] == ["add"]
    assert (episode.end_reason, episode.success) == ("completed", None)
    assert len(log.problems) == 1


def test_messages_of_typed_parts_are_read(traces: Path) -> None:
    [path] = (traces / "llamafactory_v1_messages").glob("*.jsonl")
    assert format_of(path) == "typed-parts"
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    log = AgentRunLog.read(path)
    assert len(log) == len(raw) == 25
    parts = Counter(
        part["type"] for row in raw for message in row["messages"] for part in message["content"]
    )
    assert sum(1 for each in log for _ in each.tool_calls) == parts["tool_call"]
    thoughts = [message for each in log for message in each.messages if message.reasoning]
    assert len(thoughts) == parts["reasoning"]
    assert all(not message.left_out for each in log for message in each.messages)


def test_answers_of_toolbench_are_their_longest_path(traces: Path) -> None:
    for path in sorted((traces / "toolbench").glob("G*.json")):
        raw = json.loads(path.read_text())
        paths = raw["answer_generation"].get("train_messages")
        if format_of(path) is None:
            assert not paths
            continue
        [episode] = AgentRunLog.read(path)
        assert episode.success is raw["win"]
        assert len(episode.messages) == max(map(len, paths))
        assert len(episode.tools or ()) == len(raw["answer_generation"]["function"])
