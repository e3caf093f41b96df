"""Pairs are fair: one prompt, bounded, balanced, the same on every machine, and told about."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import concatenate_datasets
from msgspec.structs import replace as replace_fields
from tool_calls import TOOLS, attempts, episode

from post_training_toolkit.agents import (
    AgentRunLog,
    Episode,
    Message,
    PairSettings,
    PromptsDifferError,
    Role,
    ToolCall,
    prepare_preference_pairs,
    to_preference_pairs,
)
from post_training_toolkit.agents.training_data.judging import PredicateError, failed, succeeded
from post_training_toolkit.agents.training_data.pairing import pair_up


def pairs(runs: Any, **options: Any) -> list[dict[str, Any]]:
    return list(to_preference_pairs(runs, succeeded, failed, **options))


def several(good: int, bad: int, **facts: Any) -> list[Episode]:
    """Return attempts at one prompt that all say something else."""
    made = [
        episode(f"good-{number}", answer=f"Good {number}", success=True, **facts)
        for number in range(good)
    ]
    return made + [
        episode(f"bad-{number}", answer=f"Bad {number}", success=False, **facts)
        for number in range(bad)
    ]


def test_the_call_of_the_walkthrough_gives_pairs(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.jsonl"
    AgentRunLog(attempts(3)).to_jsonl(path)
    dataset = to_preference_pairs(
        AgentRunLog.from_jsonl(path),
        positive=lambda e: e.success and e.total_steps < 15,
        negative=lambda e: not e.success or e.has_repeated_tool_pattern(),
    )
    assert len(dataset) == 3
    row = dataset[0]
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert [message["role"] for message in row["chosen"]] == ["assistant", "tool", "assistant"]
    [call] = row["chosen"][0]["tool_calls"]
    assert call["function"] == {"name": "look_up", "arguments": {"city": "Paris"}}
    assert row["rejected"][-1]["content"] == "None left."
    assert row["tools"] == list(TOOLS)
    assert row["chosen_episode"].removeprefix("good") == row["rejected_episode"].removeprefix("bad")
    assert (row["chosen_reward"], row["rejected_reward"]) == (1.0, 0.0)


def test_pairs_never_cross_prompts() -> None:
    good, bad = (replace(each, task=None) for each in attempts(1))
    other_tools = replace(good, id="no tools", tools=None)
    system = good.messages
    other_system = replace(
        good,
        id="other system",
        messages=(replace_fields(system[0], content="Be verbose"), *system[1:]),
    )
    for other in (other_tools, other_system):
        assert pairs([other, bad]) == []
    assert len(pairs([good, bad])) == 1


def test_a_prompt_gives_few_pairs_and_each_attempt_about_as_many() -> None:
    made = pairs(several(3, 20), max_pairs_per_prompt=12)
    assert len(made) == 12
    assert set(Counter(row["chosen_episode"] for row in made).values()) == {4}
    assert max(Counter(row["rejected_episode"] for row in made).values()) == 1
    assert len(pairs(several(30, 30))) == 4
    assert len(pairs(several(2, 1))) == 2


def test_the_same_episodes_give_the_same_pairs_in_any_order() -> None:
    runs = several(6, 7) + attempts(5)
    expected = pairs(runs)
    for seed in range(5):
        shuffled = random.Random(seed).sample(runs, len(runs))
        assert pairs(shuffled) == expected
    others = {str(pairs(runs, seed=seed)) for seed in range(5)}
    assert len(others) > 1


def test_what_teaches_nothing_is_left_out_and_told() -> None:
    good, bad = attempts(1)
    unjudged = replace(bad, id="unjudged", success=None)
    torn = replace(bad, id="torn", unread_lines=(3,))
    cut = replace(bad, id="cut", ended=False)
    empty = Episode("empty", (Message(Role.USER, "?"),), success=False)
    begun = Episode("begun", (Message(Role.ASSISTANT, "Hi"),), success=True)
    twin = replace(good, id="twin")
    alone = episode("alone", prompt="Another", success=True)
    runs = [good, bad, unjudged, torn, cut, empty, begun, twin, alone]
    report = prepare_preference_pairs(runs, succeeded, failed).report
    assert (report.rows, report.prompts, report.episodes) == (1, 1, 9)
    assert {each.examples[0]: reason for reason, each in report.left_out.items()} == {
        "unjudged": "nobody judged them (success is None)",
        "torn": "lines of them could not be read",
        "cut": "their record breaks off",
        "empty": "they have no answer of the assistant",
        "begun": "they begin with an answer, without a prompt",
        "twin": "another attempt on the same side says the same",
        "alone": "their prompt has no bad attempt",
    }
    assert "left out: 1, since their record breaks off (cut)" in report.to_text()


def test_an_episode_that_is_both_good_and_bad_is_neither_and_equal_sides_are_no_pair() -> None:
    good, bad = attempts(1)
    both = prepare_preference_pairs([good, bad], succeeded, lambda _: True).report
    assert both.left_out["both predicates hold"].examples == ["good-0"]
    same = replace(good, id="same", success=False)
    equal = prepare_preference_pairs([good, same], succeeded, failed).report
    assert equal.rows == 0
    told = "the same is good in one attempt and bad in another"
    assert equal.left_out[told].examples == ["good-0", "same"]


def test_nobody_s_judgement_is_no_failure_unless_it_is_asked_for() -> None:
    good, bad = attempts(1)
    unjudged = replace(bad, success=None)
    assert len(to_preference_pairs([good, unjudged], succeeded, lambda e: not e.success)) == 0
    made = to_preference_pairs(
        [good, unjudged], succeeded, lambda e: not e.success, unlabelled=True
    )
    assert len(made) == 1


def test_small_differences_of_reward_can_be_left_out() -> None:
    good, bad = attempts(1)
    near = replace(good, reward=0.2)
    settings = PairSettings(min_margin=0.5)
    report = prepare_preference_pairs([near, bad], succeeded, failed, settings=settings).report
    assert "their rewards differ by less than min_margin = 0.5" in report.left_out
    assert len(pairs([good, bad], min_margin=0.5)) == 1


def test_a_predicate_that_fails_names_the_episode() -> None:
    with pytest.raises(
        PredicateError, match=r"positive predicate failed on episode 'good-0'.*None"
    ):
        to_preference_pairs(
            [replace(attempts(1)[0], total_tokens=None)],
            positive=lambda e: e.total_tokens > 3,  # type: ignore[operator]
            negative=failed,
        )


def test_attempts_with_different_prompts_are_refused_in_a_sentence_that_names_kto() -> None:
    runs = [
        episode(f"{task}-{trial}", prompt=f"{task} {trial}", task=f"t{task}", success=trial == 0)
        for task in range(4)
        for trial in range(2)
    ]
    told = r"of 4 tasks .* 4 have attempts that open with different prompts.*use to_kto_dataset"
    for group_by in ("prompt", "task"):
        with pytest.raises(PromptsDifferError, match=told):
            pairs(runs, group_by=group_by)
    with pytest.raises(ValueError, match="group_by is 'user'; expected 'prompt' or 'task'"):
        pairs(runs, group_by="user")


def test_a_step_pair_is_one_answer_behind_what_both_share() -> None:
    good, bad = several(1, 1)
    # Ids of calls differ between runs, and are nothing that the model says.
    called = bad.messages[2]
    renamed = replace_fields(called, tool_calls=(replace_fields(called.tool_calls[0], id="other"),))
    bad = replace(bad, messages=(*bad.messages[:2], renamed, *bad.messages[3:]))
    [row] = pairs([good, bad], mode="step")
    roles = [message["role"] for message in row["prompt"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert [message["content"] for message in row["chosen"]] == ["Good 0"]
    assert [message["content"] for message in row["rejected"]] == ["Bad 0"]


def test_what_is_no_difference_of_the_agent_gives_no_step_pair() -> None:
    good, _ = several(1, 1)
    elsewhere = episode("bad", result="Nothing", answer="Bad", success=False)
    settings = PairSettings(mode="step")
    report = prepare_preference_pairs(
        [good, elsewhere], succeeded, failed, settings=settings
    ).report
    told = "they part where a tool or a user says something else, not the agent"
    assert list(report.left_out) == [told]
    shorter = replace(good, id="short", success=False, messages=good.messages[:4])
    report = prepare_preference_pairs([good, shorter], succeeded, failed, settings=settings).report
    assert list(report.left_out) == ["one is the beginning of the other"]


def test_what_is_said_behind_the_last_answer_is_left_out() -> None:
    good, bad = attempts(1)
    thanked = replace(good, messages=(*good.messages, Message(Role.USER, "Thank you")))
    [row] = pairs([thanked, bad])
    assert row["chosen"][-1]["content"] == "There is AF 1234."


def test_arguments_of_any_shape_are_kept_as_they_are() -> None:
    shapes: list[dict[str, Any]] = [{"a": 1}, {"a": "x", "b": [1, None]}, {"c": {"d": {}}}, {}]
    made = []
    for number, arguments in enumerate(shapes):
        for good in (True, False):
            answer = Message(Role.ASSISTANT, str(good), (ToolCall("f", arguments),))
            prompt = Message(Role.USER, str(number))
            made.append(Episode(f"{number}-{good}", (prompt, answer), success=good))
    first, second = (
        to_preference_pairs(made, succeeded, failed),
        to_preference_pairs(attempts(2), succeeded, failed),
    )
    joined = concatenate_datasets([first, second])
    found = [row["chosen"][0]["tool_calls"][0]["function"]["arguments"] for row in joined]
    assert sorted(map(str, found[:4])) == sorted(map(str, shapes))


def test_no_pairs_are_an_empty_data_set_with_its_columns() -> None:
    dataset = to_preference_pairs([], succeeded, failed)
    assert len(dataset) == 0
    assert dataset.column_names[:4] == ["prompt", "chosen", "rejected", "tools"]


def test_lengths_tool_results_and_few_prompts_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = episode("good", answer="Well " * 200, result="x" * 5000, success=True)
    bad = episode("bad", answer="No", success=False)
    assert len(pairs([good, bad])) == 1
    told = "\n".join(record.message for record in caplog.records if record.levelname == "WARNING")
    assert "chosen answers are longer" in told
    assert "answers of tools, which the agent did not write" in told
    assert "1 prompts are few" in told


def test_looking_for_a_pair_ends() -> None:
    good = [episode(f"g{n}", answer=f"G{n}", success=True, reward=0.0) for n in range(200)]
    bad = [episode(f"b{n}", answer=f"B{n}", success=False, reward=1.0) for n in range(200)]
    told: list[str] = []
    settings = PairSettings(max_pairs_per_prompt=2, min_margin=0.5)
    assert list(pair_up(good, bad, settings, lambda reason, _: told.append(reason))) == []
    assert len(told) == 200


def test_pairs_never_contradict_each_other() -> None:
    said = [("X", True), ("X", False), ("Y", True), ("Y", False), ("Z", True), ("W", False)]
    runs = [
        episode(f"{answer}-{good}", answer=answer, success=good, reward=float(good))
        for answer, good in said
    ]
    made = {(row["chosen_episode"], row["rejected_episode"]) for row in pairs(runs)}
    assert made == {("Z-True", "W-False")}


def test_step_pairs_never_contradict_each_other() -> None:
    runs = [
        episode(f"{city}-{good}", city=city, answer=f"{city} {good}", success=good)
        for city in ("Paris", "Rome")
        for good in (True, False)
    ]
    made = [
        (row["chosen"][0]["tool_calls"], row["rejected"][0]["tool_calls"])
        for row in pairs(runs, mode="step", max_pairs_per_prompt=10)
        if row["chosen"][0].get("tool_calls")
    ]
    assert len(made) == 1


def test_pairs_depend_neither_on_where_the_file_lies_nor_on_ids_that_are_shared() -> None:
    runs = several(6, 6)
    expected = [(row["chosen"], row["rejected"]) for row in pairs(runs)]
    moved = [replace(each, source="elsewhere", id="same", line=3) for each in runs]
    for seed in range(3):
        shuffled = random.Random(seed).sample(moved, len(moved))
        assert [(row["chosen"], row["rejected"]) for row in pairs(shuffled)] == expected


def test_an_episode_that_a_template_cannot_show_is_left_out() -> None:
    good, bad = attempts(1)
    broken = Message(Role.ASSISTANT, None, (ToolCall("look_up", {}, unparsed="{'a"),))
    unparsed = replace(good, id="unparsed", messages=(*good.messages[:2], broken))
    copied = replace_fields(good.messages[4], extra={"is_copied_context": True})
    ends = replace(good, id="ends", messages=(*good.messages[:2], copied, good.messages[4]))
    only = replace(good, id="only", messages=(*good.messages[:2], copied, good.messages[1]))
    report = prepare_preference_pairs([unparsed, ends, only, bad], succeeded, failed).report
    reasons = {each.examples[0]: reason for reason, each in report.left_out.items()}
    assert reasons["unparsed"] == "a call of theirs has arguments that are no JSON object"
    assert reasons["ends"].startswith("their prompt ends with an answer")
    assert reasons["only"] == "they have no answer of the assistant"


def test_a_good_attempt_with_less_reward_or_none_that_is_a_number_makes_no_pair() -> None:
    good, bad = attempts(1)
    lower = prepare_preference_pairs([replace(good, reward=-1.0), bad], succeeded, failed).report
    assert list(lower.left_out) == ["the good one has the lower reward"]
    odd = replace(good, reward=float("nan"))
    assert prepare_preference_pairs([odd, bad], succeeded, failed).report.rows == 0
    with pytest.raises(ValueError, match="min_margin is nan"):
        PairSettings(min_margin=float("nan"))


def test_numbers_that_a_column_cannot_hold_become_text_or_null() -> None:
    runs = []
    for good in (True, False):
        call = ToolCall("f", {"n": 2**70 + good, "x": float("nan"), "y": 1.5})
        messages = (Message(Role.USER, "?"), Message(Role.ASSISTANT, None, (call,)))
        tools = ({"type": "function", "function": {"name": "f", "maximum": 2**70}},)
        runs.append(Episode(str(good), messages, success=good, tools=tools))
    [row] = pairs(runs)
    assert row["chosen"][0]["tool_calls"][0]["function"]["arguments"] == {
        "n": str(2**70 + 1),
        "x": None,
        "y": 1.5,
    }
