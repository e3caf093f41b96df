"""Loops are found by what was called and what came of it."""

from __future__ import annotations

import time

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.agents.repetition import Repetition, has_repeated_pattern, repetitions
from post_training_toolkit.agents.tool_steps import tool_steps


def turns(*pairs: str) -> list[Message]:
    """Return a turn with its result for each ``tool:result``."""
    messages = []
    for pair in pairs:
        name, text = pair.split(":")
        messages += [Message(Role.ASSISTANT, None, (ToolCall(name, {}),)), Message(Role.TOOL, text)]
    return messages


def found(messages: list[Message], repeats: int = 3) -> list[Repetition]:
    return list(repetitions(messages, tool_steps(messages), repeats))


def test_the_same_call_with_the_same_result_three_times_is_a_loop() -> None:
    messages = [Message(Role.USER, "go"), *turns("a:1", "b:2", "b:2", "b:2", "b:2", "c:3")]
    assert found(messages) == [Repetition(period=1, cycles=4, step=3, shown_at=7, tools=("b",))]
    assert Episode("e", tuple(messages)).has_repeated_tool_pattern()


@pytest.mark.parametrize(
    "pairs",
    [
        ("a:1", "a:1"),
        ("a:1", "a:2", "a:3", "a:4"),
        ("a:1", "b:1", "a:1", "c:1", "a:1", "d:1"),
        ("a:1", "b:1", "a:1", "b:1"),
        ("a:1", "b:1", "a:2", "b:1", "a:3", "b:1"),
    ],
)
def test_work_is_no_loop(pairs: tuple[str, ...]) -> None:
    """Results that change, other calls in between, and what happens twice."""
    assert found(turns(*pairs)) == []


def test_other_arguments_are_another_call() -> None:
    messages = []
    for page in range(4):
        call = ToolCall("next", {"page": page})
        messages += [Message(Role.ASSISTANT, None, (call,)), Message(Role.TOOL, "nothing")]
    assert not has_repeated_pattern(messages)


@pytest.mark.parametrize(
    "cycle", [("a:1", "b:2"), ("a:1", "b:2", "c:3"), ("a:1", "a:1", "b:2", "c:3")]
)
def test_a_cycle_is_found_wherever_it_lies_and_once(cycle: tuple[str, ...]) -> None:
    [loop] = found(turns("x:0", *cycle * 3, "y:0"))
    assert (loop.period, loop.cycles) == (len(cycle), 3)
    assert loop.tools == tuple(pair[0] for pair in cycle)
    assert loop.step == 2
    assert loop.shown_at == 2 + 2 * (3 * len(cycle) - 1)


def test_parallel_calls_count_once_as_the_agent_could_not_know() -> None:
    calls = tuple(ToolCall("a", {}, id=str(place)) for place in range(4))
    results = [Message(Role.TOOL, "1", tool_call_id=str(place)) for place in range(4)]
    assert not has_repeated_pattern([Message(Role.ASSISTANT, None, calls), *results])


def test_the_same_parallel_calls_in_three_turns_are_a_loop() -> None:
    turn = [
        Message(Role.ASSISTANT, None, (ToolCall("a", {}, id="1"), ToolCall("b", {}, id="2"))),
        Message(Role.TOOL, "x", tool_call_id="1"),
        Message(Role.TOOL, "y", tool_call_id="2"),
    ]
    [loop] = found(turn * 3)
    assert loop.tools == ("a", "b")


def test_calls_without_a_result_or_with_an_image_cannot_be_compared() -> None:
    call = Message(Role.ASSISTANT, None, (ToolCall("a", {}),))
    assert not has_repeated_pattern([call] * 5)
    assert not has_repeated_pattern([call, Message(Role.TOOL, None, left_out=("image",))] * 5)


def test_what_a_user_says_begins_afresh() -> None:
    assert not has_repeated_pattern(
        [*turns("a:1", "a:1"), Message(Role.USER, "again"), *turns("a:1")]
    )


def test_waiting_is_no_loop() -> None:
    assert not has_repeated_pattern(turns(*["wait:ok"] * 5))
    polls = turns(*["poll:pending"] * 5)
    assert has_repeated_pattern(polls)
    assert not has_repeated_pattern(polls, waiting_tools=frozenset({"poll"}))


def test_the_number_of_repeats_can_be_set_from_two_on() -> None:
    messages = turns("a:1", "a:1")
    assert has_repeated_pattern(messages, repeats=2)
    with pytest.raises(ValueError, match="repeats is 1"):
        has_repeated_pattern(messages, repeats=1)


def test_the_time_grows_with_the_number_of_calls_and_not_faster() -> None:
    """Ten times the calls may take thirty times as long; comparing all pairs takes a hundred."""

    def seconds(count: int) -> float:
        messages = turns(*["a:1", "b:2", "c:3", "a:1", "d:4"] * count)
        steps = tool_steps(messages)
        start = time.process_time()
        list(repetitions(messages, steps, 3))
        return time.process_time() - start

    assert seconds(10_000) < 30 * max(seconds(1_000), 0.002)
