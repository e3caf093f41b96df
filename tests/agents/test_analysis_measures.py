"""What is measured of an episode, and at which step it shows."""

from __future__ import annotations

from typing import Any

import pytest

from post_training_toolkit.agents.analysis import AnalysisSettings, measure
from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, ModelCall, Role, ToolCall
from post_training_toolkit.rules.catalogue import catalogue

USER = Message(Role.USER, "Please book a flight")
ANSWER = Message(Role.ASSISTANT, "It is booked")
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "book",
            "parameters": {
                "type": "object",
                "properties": {
                    "flight": {"type": "string"},
                    "seats": {"type": "integer"},
                    "note": {"type": "string"},
                },
                "required": ["flight"],
            },
        },
    },
)


def call(name: str, step: int | None = None, **arguments: Any) -> Message:
    return Message(Role.ASSISTANT, None, (ToolCall(name, arguments),), step=step)


def result(text: str) -> Message:
    return Message(Role.TOOL, text)


def measured(*messages: Message, **known: Any) -> dict[str, float]:
    return measure(Episode("e", messages, **known)).values


def test_every_measure_of_an_episode_is_in_the_catalogue() -> None:
    everything = Episode(
        "e",
        (USER, call("edit"), result("ok"), call("edit"), result("ok"), ANSWER),
        tools=TOOLS,
        success=False,
        reward=0.5,
        total_tokens=10,
        cost=0.1,
        end_reason="stop",
    )
    model_call = ModelCall(prompt_tokens=9000, finish_reason="stop")
    calls = [Message(Role.ASSISTANT, "a", model_call=model_call)] * 2
    names = {*measure(everything).values, *measured(*calls), *measured(call("a"), result("b"))}
    known = {name for name in catalogue("agents") if not name.startswith(("task/", "log/"))}
    assert names == known


def test_what_is_not_known_is_not_measured() -> None:
    values = measured(USER, ANSWER)
    assert not {"success", "reward", "tokens", "cost", "tool/unknown", "end/limit"} & values.keys()


def test_a_loop_shows_at_the_third_time() -> None:
    found = measure(Episode("e", (USER, *(call("look", x=1), result("dark")) * 4, ANSWER)))
    assert found.values["repeat/calls"] == 4
    assert found.steps["repeat/calls"] == 5


def test_nearly_equal_calls_are_a_loop_of_their_own() -> None:
    searches = [call("find", q=text) for text in ('"Oslo"', "Oslo", "oslo")]
    messages = [each for search in searches for each in (search, result("nothing"))]
    values = measured(USER, *messages, ANSWER)
    assert (values["repeat/near_calls"], values["repeat/calls"]) == (3, 0)


def test_an_edit_of_one_file_three_times_is_work() -> None:
    edits = [each for n in range(3) for each in (call("edit", line=n), result("ok"))]
    values = measured(USER, *edits, ANSWER)
    assert (values["repeat/near_calls"], values["repeat/calls"]) == (0, 0)


def test_answers_to_nobody_are_counted_per_speaker() -> None:
    def say(name: str, text: str = "I shall think about it") -> Message:
        return Message(Role.ASSISTANT, text, name=name)

    assert measured(USER, say("a", "x"), say("a", "y"), say("a", "z"))["repeat/monologue"] == 3
    assert measured(USER, say("a"), say("b"), say("a"), say("b"))["repeat/monologue"] == 1
    values = measured(USER, say("a"), say("b"), say("a"), say("b", "something new"), say("a"))
    assert values["repeat/texts"] == 3


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"flight": "SK1", "seats": 2}, None),
        ({"flight": "SK1", "note": None}, None),
        ({"seats": 2}, "tool/missing_arguments"),
        ({"flight": "SK1", "meal": "fish"}, "tool/extra_arguments"),
        ({"flight": "SK1", "seats": "two"}, "tool/mistyped_arguments"),
        ({"flight": None}, "tool/mistyped_arguments"),
    ],
)
def test_arguments_are_held_against_the_schema(arguments: Any, fault: str | None) -> None:
    values = measured(USER, call("book", **arguments), result("ok"), ANSWER, tools=TOOLS)
    names = ("unknown", "missing_arguments", "extra_arguments", "mistyped_arguments", "unparsed")
    assert [f"tool/{name}" for name in names if values[f"tool/{name}"]] == (
        [fault] if fault else []
    )


def test_a_tool_that_is_not_on_offer_is_unknown_and_one_without_schemas_is_suspected() -> None:
    messages = (USER, call("fly"), result("Error: tool fly not found"), ANSWER)
    assert measured(*messages, tools=TOOLS)["tool/unknown"] == 1
    assert measured(*messages)["tool/suspected_unknown"] == 1


def test_arguments_that_are_no_json_are_told_and_not_held_against_the_schema() -> None:
    broken = Message(Role.ASSISTANT, None, (ToolCall("book", {}, unparsed='{"flight": "SK'),))
    values = measured(USER, broken, result("?"), ANSWER, tools=TOOLS)
    assert values["tool/unparsed"] == 1
    assert values["tool/missing_arguments"] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "nonsense"},
        {"$ref": "http://localhost:1/schema.json"},
        {"$ref": "#/$defs/there_is_none"},
        {"$ref": "#"},
        {"type": "object", "properties": {"x": {"type": "string", "pattern": "(a+)+$"}}},
        "no schema",
    ],
)
def test_a_schema_of_a_trace_can_do_no_harm(parameters: Any) -> None:
    """A broken one, one from elsewhere, one without end, one that takes for ever to match."""
    tools = ({"type": "function", "function": {"name": "t", "parameters": parameters}},)
    values = measured(USER, call("t", x="a" * 50 + "b"), result("ok"), ANSWER, tools=tools)
    assert values["tool/mistyped_arguments"] == 0


def test_errors_are_counted_and_one_that_is_made_good_is_recovered() -> None:
    bad, good = result("Error: no"), result("fine")
    found = measure(
        Episode("e", (USER, call("a"), bad, call("a"), good, call("b"), bad, call("c"), good))
    )
    assert found.values["tool/errors"] == 2
    assert found.values["tool/error_share"] == 0.5
    assert found.values["tool/error_run"] == 1
    assert found.values["tool/unrecovered_errors"] == 1
    assert found.steps["tool/unrecovered_errors"] == 5
    assert found.values["tool/ends_on_error"] == 0


def test_a_cascade_shows_at_its_third_error() -> None:
    errors = [each for n in range(4) for each in (call("a", n=n), result(f"Error: {n}"))]
    found = measure(Episode("e", (USER, *errors)))
    assert (found.values["tool/error_run"], found.steps["tool/error_run"]) == (4, 5)
    assert found.values["tool/ends_on_error"] == 1


def test_a_call_in_the_middle_without_a_result_is_told_but_not_one_at_the_end() -> None:
    def ask(id_: str) -> Message:
        return Message(Role.ASSISTANT, None, (ToolCall("a", {}, id=id_),))

    def answer(id_: str) -> Message:
        return Message(Role.TOOL, "ok", tool_call_id=id_)

    lost = measure(Episode("e", (USER, ask("1"), ask("2"), answer("2"), ask("3"), answer("3"))))
    assert (lost.values["tool/unanswered"], lost.steps["tool/unanswered"]) == (1, 1)
    assert measured(USER, ask("1"), answer("1"), ask("2"))["tool/unanswered"] == 0


@pytest.mark.parametrize(
    ("last", "lacks"),
    [
        ((ANSWER,), False),
        ((ANSWER, Message(Role.USER, "###STOP###")), False),
        ((call("transfer_to_human_agents"), result("done")), False),
        ((call("submit"),), False),
        ((call("final_answer", answer=7), result("7")), False),
        ((call("bash", command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"),), False),
        ((call("search"),), True),
        ((call("search"), result("3 hits")), True),
        ((call("transfer_money"), result("ok")), True),
        ((Message(Role.ASSISTANT, "  "),), True),
        ((), True),
    ],
)
def test_an_end_without_an_answer_is_told(last: tuple[Message, ...], lacks: bool) -> None:
    assert measured(USER, *last)["end/no_answer"] == lacks


def test_a_success_needs_no_answer_and_a_record_that_breaks_off_is_not_asked_for_one() -> None:
    assert measured(USER, call("search"), success=True)["end/no_answer"] == 0
    broken = measured(USER, call("search"), ended=False)
    assert broken["end/truncated"] == 1
    assert "end/no_answer" not in broken


def test_tools_of_one_s_own_that_end_an_episode_can_be_named() -> None:
    episode = Episode("e", (USER, call("wrap_up"), result("ok")))
    assert measure(episode).values["end/no_answer"] == 1
    settings = AnalysisSettings(final_tools=frozenset({"wrap_up"}))
    assert measure(episode, settings).values["end/no_answer"] == 0


@pytest.mark.parametrize(
    ("reason", "limit", "died"),
    [
        ("max_iterations", 1, 0),
        ("Timeout", 1, 0),
        ("exit_cost", 1, 0),
        ("LimitsExceeded", 1, 0),
        ("context_window_exceeded", 1, 0),
        ("agent_error", 0, 1),
        ("crashed", 0, 1),
        ("user_stop", 0, 0),
        ("completed", 0, 0),
        ("end_turn", 0, 0),
    ],
)
def test_why_it_ended_is_read_from_the_trace_s_word(reason: str, limit: int, died: int) -> None:
    values = measured(USER, ANSWER, end_reason=reason)
    assert (values["end/limit"], values["end/died"]) == (limit, died)


def test_a_failure_without_a_call_or_without_a_check_was_hasty() -> None:
    assert measured(USER, ANSWER, tools=TOOLS, success=False)["end/idle"] == 1
    assert "end/idle" not in measured(USER, ANSWER, tools=TOOLS, success=True)
    work = (USER, call("edit_file"), result("ok"))
    assert measured(*work, call("submit"), success=False)["end/unchecked_edit"] == 1
    checked = measured(*work, call("run_tests"), result("ok"), call("submit"), success=False)
    assert checked["end/unchecked_edit"] == 0


def test_a_context_that_is_too_small_shows_in_errors_cuts_and_drops() -> None:
    message = "Error: maximum context length is 8192 tokens"
    found = measure(Episode("e", (USER, call("a"), result(message))))
    assert (found.values["context/overflow"], found.steps["context/overflow"]) == (1, 2)
    assert measured(USER, Message(Role.ASSISTANT, message))["context/overflow"] == 0

    def answer(tokens: int, reason: str = "stop") -> Message:
        return Message(Role.ASSISTANT, "a", model_call=ModelCall(tokens, 5, None, reason))

    found = measure(Episode("e", (USER, answer(9000), answer(3000), answer(3100, "length"))))
    assert (found.values["context/drop"], found.steps["context/drop"]) == (3, 2)
    assert (found.values["context/cut_answers"], found.steps["context/cut_answers"]) == (1, 3)


def test_steps_are_the_trace_s_own_where_it_has_them() -> None:
    found = measure(Episode("e", (USER, call("a", step=40), result("Error: no"))))
    assert found.steps["tool/errors"] == 40
