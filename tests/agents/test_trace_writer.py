"""Live logging: what was written stays, whatever becomes of the agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import orjson
import pytest

from post_training_toolkit.agents import AgentRunLog, TraceWriter
from post_training_toolkit.schemas import load_schema


def test_every_line_is_on_disk_at_once_and_follows_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "traces" / "agent_runs.jsonl"
    tool = {"name": "add", "input_schema": {"type": "object"}}
    episode = TraceWriter(path).episode(task=3, system="Be brief", tools=[tool], trial=1)
    episode.user("1 + 1?")
    assert path.read_bytes().count(b"\n") == 2
    episode.assistant(None, reasoning="easy", prompt_tokens=9, completion_tokens=4, cost=0.1)
    episode.tool_call("add", {"a": 1, "b": 1}, call_id="c1")
    episode.tool_result("add", 2, call_id="c1", error=False)
    episode.assistant("2", finish_reason="stop")
    episode.end(success=True, reward=1.0, end_reason="answered")
    for line in path.read_bytes().splitlines():
        jsonschema.validate(orjson.loads(line), load_schema("agent_trace"))
    [read] = AgentRunLog.from_jsonl(path)
    assert (read.task, read.system, read.trial, read.final_answer) == ("3", "Be brief", 1, "2")
    assert (read.success, read.reward, read.total_tokens, read.cost) == (True, 1.0, 13, 0.1)
    with pytest.raises(RuntimeError, match="has ended; begin another one"):
        episode.user("And 2 + 2?")


def test_what_json_does_not_know_is_written_as_text(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.jsonl"
    with TraceWriter(path).episode() as episode:
        episode.tool_result("now", {1: datetime(2026, 1, 1, tzinfo=UTC), "path": Path("a")})
        episode.tool_result("cut", "\ud83d", error="half an emoji")
        episode.tool_result("big", 2**70)
    [read] = AgentRunLog.from_jsonl(path)
    assert [message.content for message in read.messages] == [
        '{"1":"2026-01-01T00:00:00+00:00","path":"a"}',
        "\ufffd",
        str(2**70),
    ]
    assert read.success is None


def test_an_error_in_the_agent_ends_its_episode_unjudged(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "agent_runs.jsonl")
    episode = writer.episode("e")
    episode.user("?")
    with pytest.raises(ZeroDivisionError), episode:
        _ = 1 / 0
    [read] = AgentRunLog.from_jsonl(writer.path)
    assert (read.success, read.end_reason) == (None, "ZeroDivisionError: division by zero")


AGENT = """
import os, signal, sys
from post_training_toolkit.agents import TraceWriter
writer = TraceWriter(sys.argv[1])
with writer.episode("done") as episode:
    episode.user("first")
with writer.episode("killed") as episode:
    episode.user("second")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_agent_leaves_all_that_it_logged(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.jsonl"
    died = subprocess.run([sys.executable, "-c", AGENT, str(path)], check=False)
    assert died.returncode == -signal.SIGKILL
    with path.open("ab") as file:
        file.write(b'{"episode_id": "killed", "step": 1, "ty')
    with TraceWriter(path).episode("next") as episode:
        episode.user("third")
    log = AgentRunLog.from_jsonl(path, skip_bad=True)
    assert [(each.id, each.ended) for each in log] == [
        ("done", True),
        ("next", True),
        ("killed", False),
    ]
    assert log["killed"].unread_lines == (4,)


def test_threads_may_write_episodes_side_by_side(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "agent_runs.jsonl")

    def run(name: int) -> None:
        with writer.episode(str(name)) as episode:
            for turn in range(50):
                episode.user(f"{name}-{turn} " + "x" * 2000)

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = AgentRunLog.from_jsonl(writer.path)
    assert len(log) == 4
    for episode in log:
        texts = [(message.content or "").split()[0] for message in episode.messages]
        assert texts == [f"{episode.id}-{turn}" for turn in range(50)]


def test_ids_differ_between_processes(tmp_path: Path) -> None:
    writer = TraceWriter(os.fspath(tmp_path / "agent_runs.jsonl"))
    assert len({writer.episode().id for _ in range(100)}) == 100
