"""The toolkit's own JSON lines: what is read, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from post_training_toolkit.agents import AgentRunLog, Episode, Message, Role, ToolCall, TraceError
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.native import FORMAT
from post_training_toolkit.agents.readers.native_line import (
    AnyLine,
    LineError,
    convert_line,
    decode_line,
)
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.writers.native import native_lines, native_text
from post_training_toolkit.schemas import load_schema

SCHEMA = load_schema("agent_trace")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
WALKTHROUGH = """\
{"episode_id": "ep_001", "step": 0, "type": "user_message", "content": "Find flights to Paris"}
{"episode_id": "ep_001", "step": 1, "type": "assistant_message", "content": "I'll search..."}
{"episode_id": "ep_001", "step": 2, "type": "tool_call", "tool": "search_flights", "args": {"dest": "Paris"}}
{"episode_id": "ep_001", "step": 3, "type": "tool_result", "tool": "search_flights", "result": "..."}
{"episode_id": "ep_001", "step": 4, "type": "episode_end", "success": true, "reward": 1.0}
"""  # noqa: E501 - as users write it


def write(path: Path, lines: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read(path: Path) -> tuple[list[Episode], list[TraceProblem]]:
    found = list(FORMAT.read(TraceFile(path)))
    return (
        [each for each in found if isinstance(each, Episode)],
        [each for each in found if isinstance(each, TraceProblem)],
    )


def test_the_trace_of_the_walkthrough_is_one_answer_with_its_call(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.jsonl"
    path.write_text(WALKTHROUGH)
    [episode] = AgentRunLog.from_jsonl(path)
    assert episode.success is True
    assert episode.reward == 1.0
    assert episode.total_steps == 1
    assert [message.role for message in episode.messages] == ["user", "assistant", "tool"]
    assert episode.messages[1].content == "I'll search..."
    assert episode.messages[1].tool_calls == (
        ToolCall("search_flights", {"dest": "Paris"}, step=2),
    )
    assert native_text(episode).decode() == WALKTHROUGH.replace('": ', '":').replace(', "', ',"')


def test_parallel_calls_stay_in_one_answer_and_keep_their_ids(tmp_path: Path) -> None:
    lines = [
        {"episode_id": "e", "type": "tool_call", "tool": "a", "args": {}, "call_id": "1"},
        {"episode_id": "e", "type": "tool_call", "tool": "b", "args": '{"x": 1}', "call_id": "2"},
        {"episode_id": "e", "type": "tool_result", "tool": "b", "result": {"y": 2}, "call_id": "2"},
        {"episode_id": "e", "type": "tool_result", "tool": "a", "result": 7, "error": "it broke"},
    ]
    [episode], problems = read(write(tmp_path / "runs.jsonl", lines))
    assert problems == []
    assert not episode.ended
    answer, second, first = episode.messages
    assert [call.id for call in answer.tool_calls] == ["1", "2"]
    assert answer.tool_calls[1].arguments == {"x": 1}
    assert (second.content, second.structured, second.failed) == ('{"y":2}', {"y": 2}, None)
    assert (first.content, first.failed) == ("7", True)


def test_lines_of_episodes_may_be_mixed_and_out_of_order(tmp_path: Path) -> None:
    lines = [
        {"episode_id": "a", "step": 1, "type": "assistant_message", "content": "2"},
        {"episode_id": "b", "step": 0, "type": "user_message", "content": "x"},
        {"episode_id": "a", "step": 0, "type": "user_message", "content": "1"},
        {"episode_id": "b", "step": 1, "type": "episode_end", "success": False},
        {"episode_id": "a", "step": 2, "type": "episode_end", "success": None},
    ]
    [b, a], problems = read(write(tmp_path / "runs.jsonl", lines))
    assert problems == []
    assert [message.content for message in a.messages] == ["1", "2"]
    assert (a.success, b.success) == (None, False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"episode_id": "e", "step": 1, "type": "user_mess', "episode 'e': no JSON: "),
        ("[1, 2]", "the line is list; expected a JSON object"),
        ('{"episode_id": "e", "content": "x"}', "episode 'e': no 'type'; expected one of"),
        (
            '{"episode_id": "e", "type": "tool_cal", "tool": "x"}',
            "episode 'e': unknown type 'tool_cal'; did you mean 'tool_call'?",
        ),
        ('{"type": "tool_call", "tool": "x"}', "a tool_call without 'episode_id'"),
        ('{"episode_id": 3, "type": "episode_end"}', "'episode_id' is int; expected str"),
        (
            '{"episode_id": "e", "type": "tool_call", "tol": "x"}',
            "episode 'e': a tool_call without 'tool'; did you mean 'tol'?",
        ),
        (
            '{"episode_id": "e", "type": "episode_end", "success": "yes"}',
            "episode 'e': 'success' is str; expected bool or null",
        ),
        (
            '{"episode_id": "e", "type": "episode_end", "reward": NaN}',
            "episode 'e': 'reward' is nan; expected a finite number",
        ),
        (
            '{"episode_id": "e", "type": "episode_start", "tools": [1]}',
            "episode 'e': 'tools[0]' is int; expected object",
        ),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_never_loses_the_file(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "runs.jsonl"
    first, *rest = WALKTHROUGH.replace("ep_001", "e").splitlines()
    path.write_text("\n".join((first, line, *rest, WALKTHROUGH)))
    with pytest.raises(TraceError) as raised:
        AgentRunLog.from_jsonl(path)
    assert str(raised.value.problems[0]).startswith(f"{path}:2: {message}")
    assert len(raised.value.problems) == 1
    log = AgentRunLog.from_jsonl(path, skip_bad=True)
    assert [episode.id for episode in log] == ["e", "ep_001"]
    assert log.problems == raised.value.problems
    named = "episode 'e'" in message
    assert log["e"].unread_lines == ((2,) if named else ())


def test_steps_after_the_end_and_a_second_start_are_told(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    start = '{"episode_id": "ep_001", "type": "episode_start"}\n'
    path.write_text(WALKTHROUGH + WALKTHROUGH[: WALKTHROUGH.index("\n") + 1])
    assert [str(each) for each in read(path)[1]] == [
        f"{path}:6: episode 'ep_001': a step after the end in line 5; "
        "every episode needs an id of its own"
    ]
    path.write_text(start + start + WALKTHROUGH)
    [episode], [problem] = read(path)
    assert problem.line == 2
    assert episode.unread_lines == (2,)


def test_a_file_of_an_unknown_format_is_told_with_the_formats_that_are_known(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "other.jsonl", [{"some": "thing"}])
    with pytest.raises(TraceError, match=r"other\.jsonl: no format that is known here; there are"):
        AgentRunLog.read(path)
    with pytest.raises(ValueError, match=r"no format .nativ.; did you mean .native.\?"):
        AgentRunLog.read(path, format="nativ")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=2)
COUNT = st.integers(0, 10**6)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
KINDS = list(SCHEMA["$defs"])


@st.composite
def any_line(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw a line whose known keys hold anything at all."""
    properties = SCHEMA["$defs"][kind]["properties"]
    keys = draw(st.lists(st.sampled_from(sorted({*properties} - {"type"})), unique=True))
    values = st.one_of(JSON, OBJECT, COUNT, NUMBER, st.lists(OBJECT, max_size=1))
    line = {key: draw(values) for key in keys}
    return {"episode_id": "e", "type": kind, **line, **draw(OBJECT)}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_the_schema_allows_is_read_and_nothing_else(kind: str, data: st.DataObject) -> None:
    line = data.draw(any_line(kind))
    if VALIDATOR.is_valid(line):
        convert_line(line)
        decode_line(json.dumps(line).encode())
    else:
        with pytest.raises(LineError):
            convert_line(line)


def test_the_schema_names_what_the_reader_knows() -> None:
    for each in AnyLine.__args__:
        known = {"type", *each.__struct_fields__}
        assert set(SCHEMA["$defs"][each.__struct_config__.tag]["properties"]) == known


CALL_ID = st.none() | TEXT
STEP = st.none() | COUNT
EXTRA = st.none() | st.dictionaries(TEXT.map("x_{}".format), JSON, min_size=1, max_size=2)
CALLS = st.builds(
    ToolCall,
    name=TEXT,
    arguments=OBJECT,
    id=CALL_ID,
    step=STEP,
    extra=EXTRA,
)
MESSAGES = st.one_of(
    st.builds(
        Message,
        role=st.sampled_from([Role.USER, Role.SYSTEM]),
        content=TEXT,
        name=CALL_ID,
        step=COUNT,
        extra=EXTRA,
    ),
    st.builds(
        Message,
        role=st.just(Role.ASSISTANT),
        content=TEXT,
        tool_calls=st.lists(CALLS, max_size=2).map(tuple),
        reasoning=CALL_ID,
        step=COUNT,
        extra=EXTRA,
    ),
    st.builds(
        Message,
        role=st.just(Role.TOOL),
        content=st.none() | TEXT,
        tool_call_id=CALL_ID,
        name=CALL_ID,
        failed=st.none() | st.booleans(),
        step=COUNT,
        extra=EXTRA,
    ),
)
EPISODES = st.builds(
    Episode,
    id=TEXT,
    messages=st.lists(MESSAGES, max_size=5).map(tuple),
    task=CALL_ID,
    prompt_type=CALL_ID,
    tools=st.none()
    | st.just(({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},)),
    model=CALL_ID,
    trial=st.none() | COUNT | TEXT,
    success=st.none() | st.booleans(),
    reward=st.none() | NUMBER,
    prompt_tokens=st.none() | COUNT,
    completion_tokens=st.none() | COUNT,
    total_tokens=COUNT,
    cost=st.none() | NUMBER,
    end_reason=CALL_ID,
    end_step=COUNT,
    metadata=st.dictionaries(TEXT, JSON, max_size=2),
)


@given(EPISODES)
@example(Episode("", (), end_step=0, total_tokens=0))
def test_an_episode_comes_back_from_its_lines(episode: Episode) -> None:
    numbered = replace(
        episode,
        messages=tuple(
            number_from(message, index * 10) for index, message in enumerate(episode.messages)
        ),
        end_step=1000,
    )
    lines = list(native_lines(numbered))
    decoded = [decode_line(json.dumps(line).encode()) for line in lines]
    from post_training_toolkit.agents.readers.native_episode import build_episode

    again = build_episode(decoded, (), "", 1)
    assert replace(again, line=None) == numbered
    assert list(native_lines(again)) == lines


def number_from(message: Message, step: int) -> Message:
    from msgspec.structs import replace as replace_fields

    calls = tuple(
        replace_fields(call, step=step + 1 + index) for index, call in enumerate(message.tool_calls)
    )
    return replace_fields(message, step=step, tool_calls=calls)


def test_a_log_that_is_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.jsonl"
    path.write_text(
        '{"episode_id": "a", "type": "episode_start", "task_id": 7, "system": "Be brief", '
        '"tools": [{"name": "f", "input_schema": {"type": "object"}}], "team": "blue"}\n'
        '{"episode_id": "a", "step": 0, "type": "user_message", "content": '
        '[{"type": "text", "text": "Look"}, {"type": "image_url"}], "timestamp": "noon"}\n'
        '{"episode_id": "a", "step": 2, "type": "tool_parse_error", "content": "f(", "tokens": 5}\n'
        '{"episode_id": "a", "step": 3, "type": "tool_result", "result": null, "error": "no"}\n'
        '{"episode_id": "a", "step": 9, "type": "episode_end", "total_cost": 0.5}\n'
        '{"episode_id": "b", "step": 4, "type": "user_message", "content": null}\n'
    )
    log = AgentRunLog.from_jsonl(path)
    log.to_jsonl(tmp_path / "again.jsonl")
    again = AgentRunLog.from_jsonl(tmp_path / "again.jsonl")
    for episode, twin in zip(log, again, strict=True):
        assert replace(twin, source="", line=0) == replace(episode, source="", line=0)
    first = log["a"]
    assert first.system == "Be brief"
    assert first.metadata == {"team": "blue"}
    assert first.messages[1].left_out == ("image_url",)
    assert first.messages[2].tool_calls[0].unparsed == "f("
    assert (first.total_tokens, first.cost) == (5, 0.5)


def test_compressed_and_listed_lines_are_read_too(tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "runs.jsonl.gz"
    packed.write_bytes(gzip.compress(WALKTHROUGH.encode()))
    listed = tmp_path / "runs.json"
    listed.write_text("[" + ",".join(WALKTHROUGH.splitlines()) + "]")
    assert [episode.id for episode in AgentRunLog.read(packed, listed)] == ["ep_001", "ep_001"]


def test_reading_takes_no_more_memory_for_a_longer_file(tmp_path: Path) -> None:
    import tracemalloc

    def peak(episodes: int) -> int:
        path = tmp_path / f"{episodes}.jsonl"
        lines = WALKTHROUGH.replace("...", "x" * 5000)
        path.write_text("".join(lines.replace("ep_001", f"ep_{n}") for n in range(episodes)))
        tracemalloc.start()
        count = sum(1 for _ in FORMAT.read(TraceFile(path)))
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == episodes
        return taken

    # 2,000 episodes are 11 MB of text; what grows is the ids that have ended.
    assert peak(2000) < 2 * peak(100) + 1_000_000


def test_what_other_formats_know_survives_the_toolkit_s_own_lines(tmp_path: Path) -> None:
    first = Message(Role.USER, "Look", left_out=("image",), extra={"error": 5, "colour": "red"})
    called = Message(Role.ASSISTANT, None, (ToolCall("see", {}, extra={"tool": 3}),), step=9)
    result = Message(Role.TOOL, "seen", left_out=("audio",), step=2)
    log = AgentRunLog([Episode("same", (first, called, result)), Episode("same", (first,))])
    log.to_jsonl(tmp_path / "runs.jsonl")
    one, other = AgentRunLog.from_jsonl(tmp_path / "runs.jsonl")
    assert (one.id, other.id) == ("same", "same-2")
    assert [message.role for message in one.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert one.messages[0].left_out == ("image",)
    assert one.messages[0].extra == {"error": 5, "colour": "red"}
    assert one.messages[1].tool_calls[0].extra == {"metadata": {"tool": 3}}
    assert one.messages[2].left_out == ("audio",)


def test_answers_that_follow_each_other_stay_apart(tmp_path: Path) -> None:
    call = Message(Role.ASSISTANT, None, (ToolCall("see", {}),))
    said = (Message(Role.USER, "?"), call, call, Message(Role.ASSISTANT, "So"), call)
    AgentRunLog([Episode("e", said), Episode("s", (Message(Role.SYSTEM, None), call))]).to_jsonl(
        tmp_path / "runs.jsonl"
    )
    one, other = AgentRunLog.from_jsonl(tmp_path / "runs.jsonl")
    for episode, messages in ((one, said), (other, (Message(Role.SYSTEM, None), call))):
        assert [(each.role, each.content, len(each.tool_calls)) for each in episode.messages] == [
            (each.role, each.content, len(each.tool_calls)) for each in messages
        ]
