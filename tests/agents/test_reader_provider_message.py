"""One exchange in the shapes of eight providers and frameworks is one and the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.readers.choose import find_format
from post_training_toolkit.agents.readers.provider_message import MessageError, read_messages
from post_training_toolkit.agents.readers.records import TraceFile

_OURS = {
    "langfuse",
    "langsmith",
    "mini-swe-agent",
    "openhands",
    "openinference",
    "otel-genai",
    "swe-agent",
}
_FOLDERS = {
    "langsmith_runs": "langsmith",
    "mini_swe_agent": "mini-swe-agent",
    "openhands_output": "openhands",
    "openhands_sdk_events": "openhands",
    "swe_agent_traj": "swe-agent",
}
_ARGUMENTS = '{"city": "Oslo"}'
_SHAPES: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": _ARGUMENTS}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "cold"},
    ],
    "anthropic": [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c", "content": "cold"}],
        },
    ],
    "gemini": [
        {
            "role": "model",
            "parts": [
                {"text": "I look."},
                {"functionCall": {"id": "c", "name": "f", "args": {"city": "Oslo"}}},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"id": "c", "response": "cold"}}]},
    ],
    "bedrock": [
        {
            "role": "assistant",
            "content": [
                {"text": "I look."},
                {"toolUse": {"toolUseId": "c", "name": "f", "input": {"city": "Oslo"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "c", "content": [{"type": "text", "text": "cold"}]}}
            ],
        },
    ],
    "vercel": [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool-call", "toolCallId": "c", "toolName": "f", "input": _ARGUMENTS},
            ],
        },
        {
            "role": "tool",
            "content": [
                {
                    "type": "tool-result",
                    "toolCallId": "c",
                    "toolName": "f",
                    "output": {"type": "text", "value": "cold"},
                }
            ],
        },
    ],
    "langchain": [
        {
            "type": "ai",
            "content": "I look.",
            "tool_calls": [{"name": "f", "args": {"city": "Oslo"}, "id": "c"}],
        },
        {"type": "tool", "content": "cold", "tool_call_id": "c"},
    ],
    "genai": [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "I look."},
                {"type": "tool_call", "id": "c", "name": "f", "arguments": {"city": "Oslo"}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "cold"}]},
    ],
    "openinference": [
        {
            "message": {
                "role": "assistant",
                "contents": [{"message_content": {"type": "text", "text": "I look."}}],
                "tool_calls": [
                    {"tool_call": {"id": "c", "function": {"name": "f", "arguments": _ARGUMENTS}}}
                ],
            }
        },
        {"message": {"role": "tool", "tool_call_id": "c", "content": "cold"}},
    ],
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_every_shape_of_a_call_and_its_result_reads_the_same(shape: str) -> None:
    asks, result = read_messages(_SHAPES[shape])
    (call,) = asks.tool_calls
    assert (asks.role, asks.content) == (Role.ASSISTANT, "I look.")
    assert (call.id, call.name, call.arguments) == ("c", "f", {"city": "Oslo"})
    assert (result.role, result.tool_call_id, result.content) == (Role.TOOL, "c", "cold")


def test_results_stand_before_what_the_user_says_with_them() -> None:
    content = [{"type": "text", "text": "Go on"}, {"type": "tool_result", "tool_use_id": "c"}]
    result, said = read_messages([{"role": "user", "content": content}])
    assert (result.role, said.content) == (Role.TOOL, "Go on")


def test_what_is_no_text_is_named_and_left_out() -> None:
    parts = [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "this"}]
    (message,) = read_messages([{"role": "user", "content": parts}])
    assert message == Message(Role.USER, "this", left_out=("image_url",))


def test_a_result_that_is_no_text_keeps_its_structure() -> None:
    part = {"type": "tool_call_response", "id": "c", "response": {"n": 1}}
    (message,) = read_messages([{"role": "tool", "parts": [part]}])
    assert (message.content, message.structured) == ('{"n":1}', {"n": 1})


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"role": "narrator"}, "no role 'narrator'"),
        ({"content": "hi"}, "without a role"),
        ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "without a name"),
        ({"role": "assistant", "tool_calls": "f()"}, "tool_calls is a list, not str"),
        (None, "a message is an object, not null"),
    ],
)
def test_a_message_of_no_known_shape_says_what_is_wrong(message: Any, told: str) -> None:
    with pytest.raises(MessageError, match=told.replace("(", "\\(")):
        read_messages([message])


def test_the_formats_of_spans_and_agents_take_no_file_of_another(traces: Path) -> None:
    for path in sorted(traces.rglob("*")):
        if path.is_dir() or path.name == "SOURCE.md":
            continue
        found = find_format(TraceFile(path))
        expected = _FOLDERS.get(path.parent.name)
        if path.name.endswith(".trace.json"):
            expected = "langfuse"
        elif path.name == "openhands_trajectory.json":
            expected = "openhands"
        name = found.name if found is not None and found.name in _OURS else None
        assert name == expected, path
