"""Every real file is taken by the right reader, read without a problem, and leaves nothing open."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tool_calls import attempts

from post_training_toolkit.agents import AgentRunLog, Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.choose import files_in, find_format
from post_training_toolkit.agents.readers.formats import FORMATS
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.writers.trace_file import write_traces

# By folder; a file of another kind stands beside its folder's name.
EXPECTED = {
    "atif": "atif",
    "atif_source_formats/gemini-cli-trajectory.json": None,
    "atif_source_formats": "openhands",
    "claude_code_session": "claude-code",
    "inspect_ai": "inspect",
    "langfuse": "langfuse",
    "langsmith_runs": "langsmith",
    "llamafactory_v1_messages": "typed-parts",
    "mini_swe_agent": "mini-swe-agent",
    "openhands_output": "openhands",
    "openhands_sdk_events": "openhands",
    "sharegpt_toolcall": "sharegpt",
    "swe_agent_traj": "swe-agent",
    "tau_bench": "tau-bench",
    "toolbench": "toolbench",
    "toolbench/tooleval_gpt35_cot_G1_instruction.json": None,
    "who_and_when": "who-and-when",
}


def test_every_real_file_finds_its_reader(traces: Path) -> None:
    seen = set()
    for path in files_in(traces):
        if path.suffix == ".md" or path.name.endswith(".chatml.json"):
            continue
        folder = path.parent.name
        expected = EXPECTED.get(f"{folder}/{path.name}", EXPECTED[folder])
        found = find_format(TraceFile(path))
        if found is None and folder == "toolbench":
            # Some answers of ToolBench hold no conversation.
            assert (
                not json.loads(path.read_text()).get("answer_generation", {}).get("train_messages")
            )
            continue
        assert (None if found is None else found.name) == expected, path
        seen.add(expected)
    assert len(seen) >= 14


def test_what_is_read_of_real_files_is_whole(traces: Path) -> None:
    episodes = 0
    for path in files_in(traces):
        found = find_format(TraceFile(path))
        if found is None:
            continue
        for each in found.read(TraceFile(path)):
            if isinstance(each, TraceProblem):
                # Two hand-made sessions hold lines that are no session's.
                assert path.parent.name == "claude_code_session", each
                continue
            episodes += 1
            assert each.source == str(path)
            assert each.id
            names = [call.name for call in each.tool_calls if call.unparsed is None]
            assert all(names)
    assert episodes > 600


def test_names_of_formats_are_unique_and_told() -> None:
    names = [each.name for each in FORMATS]
    assert len(set(names)) == len(names) >= 18
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
    assert all(f"`{name}`" in page for name in names)


@pytest.mark.parametrize("name", ["runs.jsonl.gz", "runs.jsonl"])
def test_compressed_files_are_found_as_others_are(tmp_path: Path, name: str) -> None:
    plain = tmp_path / "plain.jsonl"
    AgentRunLog(attempts(1)).to_jsonl(plain)
    path = tmp_path / name
    path.write_bytes(gzip.compress(plain.read_bytes()) if "gz" in name else plain.read_bytes())
    found = find_format(TraceFile(path))
    assert found is not None
    assert found.name == "native"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{", b"[", b"\x00\x01", b"hello", b"[]", b"{}"])
def test_what_is_no_trace_is_of_no_format(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert find_format(TraceFile(path)) is None


def test_trajectories_in_atif_come_back(tmp_path: Path) -> None:
    before = attempts(2)
    assert write_traces(before, "atif", tmp_path / "out") == 4
    log = AgentRunLog.read(tmp_path / "out")
    by_id = {episode.id: episode for episode in log}
    for episode in before:
        again = by_id[episode.id]
        assert again.tools == episode.tools
        assert _said(again) == _said(episode)


def _said(episode: Episode) -> list[object]:
    return [
        (
            message.role,
            message.content,
            [(call.name, call.arguments) for call in message.tool_calls],
        )
        for message in episode.messages
    ]
