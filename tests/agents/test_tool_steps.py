"""Results find their calls."""

from __future__ import annotations

from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.agents.tool_steps import call_key, tool_steps


def call(*names: str, ids: tuple[str | None, ...] = ()) -> Message:
    calls = zip(names, ids or (None,) * len(names), strict=True)
    return Message(Role.ASSISTANT, None, tuple(ToolCall(name, {}, id=id_) for name, id_ in calls))


def result(text: str, of: str | None = None, name: str | None = None) -> Message:
    return Message(Role.TOOL, text, tool_call_id=of, name=name)


def results_of(*messages: Message) -> list[str | None]:
    return [step.result.content if step.result else None for step in tool_steps(messages)]


def test_a_result_belongs_to_the_call_whose_id_it_names_in_any_order() -> None:
    messages = call("a", "b", ids=("1", "2")), result("of b", "2"), result("of a", "1")
    assert results_of(*messages) == ["of a", "of b"]


def test_ids_that_every_turn_uses_anew_tie_within_the_turn() -> None:
    turn = call("a", ids=("call_0",))
    messages = turn, result("first", "call_0"), turn, result("second", "call_0")
    assert results_of(*messages) == ["first", "second"]


def test_without_ids_results_belong_to_calls_by_name_and_then_by_order() -> None:
    messages = call("a", "b", "b"), result("1", name="b"), result("2"), result("3")
    assert results_of(*messages) == ["2", "1", "3"]


def test_a_result_without_id_belongs_to_no_call_of_an_earlier_turn() -> None:
    messages = call("a", "a"), result("1"), call("b"), result("2"), result("3")
    assert results_of(*messages) == ["1", None, "2"]


def test_a_result_that_names_no_call_is_left_out() -> None:
    assert results_of(call("a", ids=("1",)), result("lost", "9")) == [None]


def test_steps_are_those_of_the_call_of_the_message_or_of_its_place() -> None:
    numbered = Message(Role.ASSISTANT, None, (ToolCall("a", {}, step=7), ToolCall("b", {})), step=5)
    steps = tool_steps([Message(Role.USER, "?"), numbered, call("c")])
    assert [step.step for step in steps] == [7, 5, 2]
    assert [step.index for step in steps] == [1, 1, 2]


def test_keys_are_equal_for_equal_arguments_in_any_order_and_of_any_size() -> None:
    assert call_key(ToolCall("t", {"a": 1, "b": 2})) == call_key(ToolCall("t", {"b": 2, "a": 1}))
    assert call_key(ToolCall("t", {"a": 1})) != call_key(ToolCall("t", {"a": "1"}))
    huge = ToolCall("t", {"n": 2**70})
    assert call_key(huge) == call_key(ToolCall("t", {"n": 2**70}))
    assert call_key(ToolCall("t", {}, unparsed="{a")) != call_key(ToolCall("t", {}))
