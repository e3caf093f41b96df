"""What trainers drop, cut or never look at is said before the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from msgspec.structs import replace as replace_fields
from tool_calls import TOOLS, attempts, build_model, build_tokenizer, episode
from transformers import PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from post_training_toolkit.agents import (
    Episode,
    Message,
    Role,
    check_lengths,
    check_template,
    prepare_grpo_prompts,
    prepare_kto_dataset,
    prepare_sft_dataset,
    to_grpo_prompts,
    to_kto_dataset,
    to_preference_pairs,
    to_sft_dataset,
)
from post_training_toolkit.agents.training_data.judging import failed, succeeded


def runs() -> list[Episode]:
    """Return attempts at prompts of different lengths."""
    return [
        replace(
            each,
            messages=(
                each.messages[0],
                Message(Role.USER, f"{each.task} {'please ' * int(str(each.task)[-1]) * 9}"),
                *each.messages[2:],
            ),
        )
        for each in attempts(4)
    ]


def kept(
    trainer: type[Any], config: Any, dataset: Dataset, tokenizer: PreTrainedTokenizerFast
) -> int:
    """Return how many rows a trainer keeps of a data set."""
    model = build_model(tokenizer)
    more = {} if trainer is SFTTrainer else {"ref_model": build_model(tokenizer)}
    made = trainer(
        model=model, args=config, train_dataset=dataset, processing_class=tokenizer, **more
    )
    return len(made.train_dataset)


def pairs(runs: list[Episode]) -> Dataset:
    return to_preference_pairs(runs, succeeded, failed)


def completions(runs: list[Episode]) -> Dataset:
    return to_sft_dataset(runs, form="prompt-completion")


_ONLY = {"assistant_only_loss": True}


@pytest.mark.parametrize("template", ["qwen2_5", "qwen3"])
@pytest.mark.parametrize(
    ("make", "trainer", "config", "more", "slack"),
    [
        (pairs, DPOTrainer, DPOConfig, {}, 0),
        (to_kto_dataset, KTOTrainer, KTOConfig, {}, 0),
        # Training templates differ in which line end an answer begins with.
        (to_sft_dataset, SFTTrainer, SFTConfig, _ONLY, 2),
        (completions, SFTTrainer, SFTConfig, {}, 0),
        (completions, SFTTrainer, SFTConfig, _ONLY, 0),
    ],
    ids=["dpo", "kto", "sft", "sft completions", "sft completions, assistant only"],
)
def test_as_many_rows_are_said_to_be_dropped_as_trl_drops(
    tmp_path: Path,
    make: Any,
    trainer: type[Any],
    config: Any,
    more: dict[str, Any],
    slack: int,
    template: str,
) -> None:
    tokenizer = build_tokenizer(template)
    dataset = make(runs())
    opening = next(each.messages[:2] for each in runs() if each.task == "task-1")
    room = len(
        tokenizer.apply_chat_template(
            [message.as_chat() for message in opening],
            tools=list(TOOLS),
            add_generation_prompt=True,
            return_dict=False,
        )
    )
    counts = []
    for max_length in (room - slack, room + 1 + slack):
        args = config(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to="none",
            max_length=max_length,
            **more,
        )
        counts.append(check_lengths(tokenizer, dataset, max_length).dropped)
        assert counts[-1] == len(dataset) - kept(trainer, args, dataset, tokenizer)
    assert len(dataset) > counts[0] > counts[1] > 0


def test_prompts_alone_have_no_length_to_check() -> None:
    prompts = to_grpo_prompts(attempts(1))
    with pytest.raises(ValueError, match="GRPOTrainer takes prompts of any length"):
        check_lengths(build_tokenizer(), prompts)


def test_data_sets_without_messages_are_no_data_sets_to_check() -> None:
    with pytest.raises(ValueError, match=r"the data set has the columns text; expected messages"):
        check_template(build_tokenizer(), Dataset.from_dict({"text": ["Hi"]}))


def test_tools_that_grpo_would_not_show_are_named() -> None:
    [told] = prepare_grpo_prompts(attempts(1)).report.warnings
    assert told.startswith("GRPOTrainer does not read the column tools (look_up):")
    assert prepare_grpo_prompts([replace(attempts(1)[0], tools=None)]).report.warnings == []
    many = tuple(
        {"type": "function", "function": {"name": f"tool_{number}"}} for number in range(9)
    )
    [told] = prepare_grpo_prompts([replace(attempts(1)[0], tools=many)]).report.warnings
    assert "(tool_0, tool_1, tool_2, tool_3, tool_4, ...)" in told


def copied_up_to(last: int) -> Episode:
    """Return an attempt whose messages up to one are copied from another episode."""
    made = episode("goes on", success=True)
    extra = {"is_copied_context": True}
    copied = [replace_fields(each, extra=extra) for each in made.messages[: last + 1]]
    return replace(made, messages=(*copied, *made.messages[last + 1 :]))


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (copied_up_to(4), "they have no answer of the assistant"),
        (
            replace(
                copied_up_to(2),
                messages=(*copied_up_to(2).messages[:3], Message(Role.ASSISTANT, "Well")),
            ),
            "their prompt ends with an answer, behind which templates start no other",
        ),
    ],
    ids=["all is copied", "the last copied turn is an answer"],
)
def test_no_prompt_ends_with_an_answer(run: Episode, reason: str) -> None:
    for prepared in (
        prepare_kto_dataset([run]),
        prepare_sft_dataset([run], form="prompt-completion"),
    ):
        assert list(prepared.report.left_out) == [reason]
    [told] = prepare_grpo_prompts([run]).report.left_out
    assert told == "their prompt ends with an answer, behind which templates start no other"


def test_a_prompt_that_may_lack_a_line_is_not_sampled_from() -> None:
    torn = replace(attempts(1)[0], unread_lines=(2,))
    prepared = prepare_grpo_prompts([torn, attempts(1)[1]])
    assert prepared.report.left_out["lines of them could not be read"].examples == ["good-0"]
    assert [row["attempts"] for row in prepared.dataset] == [1]
