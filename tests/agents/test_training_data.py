"""Labelled completions, conversations, prompts; what a template shows, what fits, what is split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from datasets import Dataset
from msgspec.structs import replace as replace_fields
from tool_calls import attempts, build_tokenizer, episode

from post_training_toolkit.agents import (
    Episode,
    Message,
    Role,
    ToolCall,
    check_lengths,
    check_template,
    prepare_grpo_prompts,
    prepare_kto_dataset,
    prepare_sft_dataset,
    split_by_prompt,
    to_kto_dataset,
    to_preference_pairs,
    to_sft_dataset,
)
from post_training_toolkit.agents.training_data.judging import failed, succeeded


def test_every_judged_attempt_is_a_labelled_completion() -> None:
    good, bad = attempts(1)
    runs = [good, bad, replace(good, id="twin"), replace(good, id="unjudged", success=None)]
    prepared = prepare_kto_dataset(runs)
    found = [(row["episode"], row["label"]) for row in prepared.dataset]
    assert found == [("good-0", True), ("bad-0", False)]
    assert set(prepared.report.left_out) == {
        "another episode says the same",
        "nobody judged them (success is None)",
    }
    row = prepared.dataset[0]
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["completion"][-1]["content"] == "There is AF 1234."


def test_the_same_completion_judged_both_ways_is_told() -> None:
    good = attempts(1)[0]
    prepared = prepare_kto_dataset([good, replace(good, id="other", success=False)])
    assert [row["label"] for row in prepared.dataset] == [True, False]
    name = "completions that were good in one attempt and bad in another"
    assert prepared.report.figures[name] == 1
    assert f"{name}: 1\n" in prepared.report.to_text() + "\n"


def test_a_length_that_keeps_95_percent_does() -> None:
    tokenizer = build_tokenizer()
    rows = [episode(str(n), answer="word " * 40 * n, success=True) for n in (1, 2, 3)]
    dataset = to_sft_dataset(rows)
    checked = check_lengths(tokenizer, dataset)
    assert check_lengths(tokenizer, dataset, checked.fits_95).fits


def test_uneven_labels_come_with_the_weight_that_evens_them() -> None:
    runs = [episode(f"g{n}", answer=str(n), success=True) for n in range(6)]
    assert prepare_kto_dataset(runs).report.warnings == [
        "there are no bad completions: KTO needs both"
    ]
    runs += [episode(f"b{n}", answer=f"-{n}", success=False) for n in range(2)]
    [told] = prepare_kto_dataset(runs).report.warnings
    assert told.endswith("weigh the fewer ones up with KTOConfig(undesirable_weight=3)")


def test_conversations_are_those_of_successes_and_say_how_to_train() -> None:
    prepared = prepare_sft_dataset(attempts(2))
    assert prepared.dataset.column_names[0] == "messages"
    assert prepared.report.warnings[0].endswith("train with SFTConfig(assistant_only_loss=True)")
    assert prepared.report.left_out["the positive predicate does not hold"].count == 2
    with pytest.raises(ValueError, match="form is 'text'; expected 'messages' or"):
        prepare_sft_dataset([], form="text")  # type: ignore[arg-type]


def test_prompts_stand_once_with_how_their_attempts_went() -> None:
    runs = [*attempts(2), episode("again", prompt="Find flight number 0", success=None)]
    prepared = prepare_grpo_prompts(runs)
    assert [row["attempts"] for row in prepared.dataset] == [3, 2]
    assert [row["success_rate"] for row in prepared.dataset] == [0.5, 0.5]
    assert [row["task"] for row in prepared.dataset] == ["task-0", "task-1"]
    assert prepared.report.figures == {"share of prompts whose attempts all went the same way": 0}


def parallel() -> Episode:
    good = attempts(1)[0]
    calls = tuple(ToolCall("look_up", {"city": city}, id=city) for city in ("Paris", "Rome"))
    results = [Message(Role.TOOL, f"in {call.id}", tool_call_id=call.id) for call in calls]
    called = replace_fields(good.messages[2], tool_calls=calls)
    return replace(good, messages=(*good.messages[:2], called, *results, good.messages[-1]))


@pytest.mark.parametrize(
    ("template", "left_out"),
    [
        ("qwen2_5", set()),
        ("qwen3", set()),
        (
            "llama3",
            {
                "the template leaves out the names of tools in calls",
                "the template leaves out the names of arguments",
                "the template leaves out the values of arguments",
                "the template leaves out the definitions of tools",
                "the template leaves out the descriptions of tools",
                "the template leaves out the parameters of tools",
            },
        ),
        ("llama3_1", {"the template refuses: This model only supports single tool-calls at once!"}),
    ],
)
def test_what_a_template_does_not_show_is_told(template: str, left_out: set[str]) -> None:
    dataset = to_sft_dataset([parallel()])
    found = check_template(build_tokenizer(template), dataset)
    assert {each.what for each in found} == left_out
    for each in found:
        assert str(each) == f"{each.what} (1 of 1 conversations)"


def test_templates_are_checked_on_pairs_and_prompts_too() -> None:
    tokenizer = build_tokenizer("llama3")
    pairs = to_preference_pairs(attempts(3), succeeded, failed)
    assert {each.of for each in check_template(tokenizer, pairs)} == {6}
    assert {each.of for each in check_template(tokenizer, pairs, rows=1)} == {2}
    prompts = prepare_grpo_prompts(attempts(1)).dataset
    assert {each.what for each in check_template(tokenizer, prompts)} == {
        "the template leaves out the definitions of tools",
        "the template leaves out the descriptions of tools",
        "the template leaves out the parameters of tools",
    }


def test_rows_that_do_not_fit_are_counted() -> None:
    tokenizer = build_tokenizer()
    pairs = to_preference_pairs(attempts(4), succeeded, failed)
    whole = check_lengths(tokenizer, pairs)
    assert whole.fits
    assert str(whole) == "all 4 rows fit into max_length=1024"
    prompt = tokenizer.apply_chat_template(
        pairs[0]["prompt"], tools=pairs[0]["tools"], add_generation_prompt=True, return_dict=False
    )
    room = len(prompt)
    assert check_lengths(tokenizer, pairs, room).dropped == 4
    tight = check_lengths(tokenizer, pairs, room + 2)
    assert (tight.dropped, tight.cut, tight.alike) == (0, 4, 4)
    assert f"max_length={tight.fits_95} keeps 95 %" in str(tight)
    assert check_lengths(tokenizer, pairs, tight.fits_all).fits
    assert not check_lengths(tokenizer, pairs, tight.fits_all - 1).fits
    conversations = to_sft_dataset(attempts(2))
    assert check_lengths(tokenizer, conversations, 5).dropped == 2
    assert check_lengths(tokenizer, conversations, tight.fits_all - 1).cut == 2
    with pytest.raises(ValueError, match="no rows"):
        check_lengths(tokenizer, pairs.select([]))


def test_no_prompt_is_on_both_sides_of_a_split() -> None:
    runs = [
        episode(f"{prompt}-{n}", prompt=str(prompt), answer=str(n), success=n % 2 == 0)
        for prompt in range(40)
        for n in range(4)
    ]
    dataset = to_kto_dataset(runs)
    split = split_by_prompt(dataset, 0.25)
    train, test = (set(split[name]["prompt_key"]) for name in ("train", "test"))
    assert not train & test
    assert len(split["train"]) + len(split["test"]) == len(dataset)
    assert 3 <= len(test) <= 20
    fewer = split_by_prompt(dataset.select(range(80)), 0.25)
    assert set(fewer["test"]["prompt_key"]) <= test
    assert set(split_by_prompt(dataset, 0.25, seed=1)["test"]["prompt_key"]) != test


def test_a_split_of_few_prompts_has_something_on_both_sides() -> None:
    for seed in range(10):
        split = split_by_prompt(to_kto_dataset(attempts(2)), 0.1, seed=seed)
        assert (len(split["train"]), len(split["test"])) == (2, 2)


@pytest.mark.parametrize("share", [0, 1, -1])
def test_a_split_needs_a_share_and_prompts(share: Any) -> None:
    with pytest.raises(ValueError, match="expected a number between 0 and 1"):
        split_by_prompt(to_kto_dataset(attempts(1)), share)
    with pytest.raises(ValueError, match="no column prompt_key"):
        split_by_prompt(Dataset.from_dict({"a": [1]}), 0.5)


def test_turns_copied_from_another_episode_are_context() -> None:
    good = attempts(1)[0]
    copied = replace_fields(good.messages[2], extra={"is_copied_context": True})
    goes_on = replace(good, messages=(*good.messages[:2], copied, *good.messages[3:]))
    prepared = prepare_sft_dataset([goes_on])
    assert prepared.report.rows == 0
    assert "copied turns" in next(iter(prepared.report.left_out))
    [row] = prepare_sft_dataset([goes_on], form="prompt-completion").dataset
    roles = [message["role"] for message in row["prompt"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert [message["content"] for message in row["completion"]] == ["There is AF 1234."]
