"""Real trainers take the data sets, and the loss is on what the agent wrote and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from msgspec.structs import replace as replace_fields
from tool_calls import attempts, build_model, build_tokenizer, chat_template
from transformers import PreTrainedTokenizerFast
from trl import (
    DPOConfig,
    DPOTrainer,
    GRPOConfig,
    GRPOTrainer,
    KTOConfig,
    KTOTrainer,
    SFTConfig,
    SFTTrainer,
)

from post_training_toolkit.agents import (
    AgentRunLog,
    PromptsDifferError,
    check_lengths,
    check_template,
    mask_tool_results,
    masking_collator,
    to_grpo_prompts,
    to_kto_dataset,
    to_preference_pairs,
    to_sft_dataset,
)
from post_training_toolkit.agents.training_data.judging import failed, succeeded

RESULT = "AF 1234 at noon"
SAID_BY_THE_AGENT = (
    'Let me see<tool_call>{"name": "look_up", "arguments": {"city": "%s"}}</tool_call><|im_end|>'
)
CHOSEN = SAID_BY_THE_AGENT % "Paris" + "There is AF 1234.<|im_end|>"
REJECTED = SAID_BY_THE_AGENT % "Rome" + "None left.<|im_end|>"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def common(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "max_steps": 1,
        "logging_steps": 1,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        **more,
    }


def trained_text(
    tokenizer: PreTrainedTokenizerFast, ids: torch.Tensor, trained: torch.Tensor
) -> list[str]:
    """Return, for each sequence of a batch, the text of the tokens that the loss is on."""
    texts = [tokenizer.decode(row[mask.bool()]) for row, mask in zip(ids, trained, strict=True)]
    # Training templates differ in which line ends they count to an answer.
    return [str(text).replace("\n", "") for text in texts]


def first_batch(trainer: Any) -> dict[str, Any]:
    batch: dict[str, Any] = next(iter(trainer.get_train_dataloader()))
    return batch


def test_dpo_alone_trains_on_answers_of_tools(tmp_path: Path) -> None:
    """What TRL does without masks: were it to stop, this module could go."""
    tokenizer = build_tokenizer()
    trainer = DPOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=DPOConfig(**common(tmp_path)),
        train_dataset=to_preference_pairs(attempts(2), succeeded, failed),
        processing_class=tokenizer,
    )
    batch = first_batch(trainer)
    for text in trained_text(tokenizer, batch["input_ids"], batch["completion_mask"]):
        assert RESULT in text


def test_masked_dpo_trains_on_every_word_of_the_agent_and_no_other(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    dataset = mask_tool_results(to_preference_pairs(attempts(4), succeeded, failed), tokenizer)
    args = DPOConfig(**common(tmp_path, remove_unused_columns=False))
    trainer = DPOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=args,
        train_dataset=dataset,
        processing_class=tokenizer,
        data_collator=masking_collator(dataset, tokenizer, args),
    )
    batch = first_batch(trainer)
    texts = trained_text(tokenizer, batch["input_ids"], batch["completion_mask"])
    assert texts == [CHOSEN, CHOSEN, REJECTED, REJECTED]
    assert RESULT in tokenizer.decode(batch["input_ids"][0])
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


@pytest.mark.parametrize(("mode", "expected"), [("keep_start", ""), ("keep_end", "left.")])
@pytest.mark.filterwarnings("ignore:The `'keep_end'` truncation mode:FutureWarning")
def test_masks_are_cut_as_the_tokens_are(tmp_path: Path, mode: str, expected: str) -> None:
    tokenizer = build_tokenizer()
    dataset = mask_tool_results(to_preference_pairs(attempts(1), succeeded, failed), tokenizer)
    args = DPOConfig(
        **common(tmp_path, remove_unused_columns=False, truncation_mode=mode, max_length=4)
    )
    collator = masking_collator(dataset, tokenizer, args)
    masks = {side: dataset[0][f"{side}_assistant_mask"] for side in ("chosen", "rejected")}
    encoded: dict[str, Any] = {
        side: tokenizer.apply_chat_template(
            dataset[0]["prompt"] + dataset[0][side], tools=dataset[0]["tools"], return_dict=False
        )
        for side in masks
    }
    example = {f"{side}_ids": ids[5:] for side, ids in encoded.items()}
    example |= {f"{side}_assistant_mask": mask for side, mask in masks.items()}
    batch = collator([{"prompt_ids": encoded["chosen"][:5], **example}])
    texts = trained_text(tokenizer, batch["input_ids"], batch["completion_mask"])
    assert texts[1].removesuffix("<|im_end|>").endswith(expected)
    assert RESULT not in texts[0]


def test_masks_need_their_columns_and_their_tokenizer(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    pairs = to_preference_pairs(attempts(2), succeeded, failed)
    with pytest.raises(ValueError, match="set remove_unused_columns=False in DPOConfig"):
        masking_collator(pairs, tokenizer, DPOConfig(**common(tmp_path)))
    args = DPOConfig(**common(tmp_path, remove_unused_columns=False))
    with pytest.raises(ValueError, match="call mask_tool_results first"):
        masking_collator(pairs, tokenizer, args)
    with pytest.raises(ValueError, match="SFT has assistant_only_loss=True"):
        mask_tool_results(to_sft_dataset(attempts(1)), tokenizer)
    masked = mask_tool_results(pairs, tokenizer)
    tokenizer.chat_template = chat_template("qwen3")
    trainer = DPOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=args,
        train_dataset=masked,
        processing_class=tokenizer,
        data_collator=masking_collator(masked, tokenizer, args),
    )
    with pytest.raises(ValueError, match="train with the tokenizer that was given"):
        trainer.train()


def test_masked_kto_trains_on_what_the_agent_wrote(tmp_path: Path) -> None:
    tokenizer = build_tokenizer("qwen3")
    dataset = mask_tool_results(to_kto_dataset(attempts(2)), tokenizer)
    assert [row["label"] for row in dataset] == [True, False, True, False]
    args = KTOConfig(**common(tmp_path, remove_unused_columns=False, per_device_train_batch_size=4))
    trainer = KTOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=args,
        train_dataset=dataset,
        processing_class=tokenizer,
        data_collator=masking_collator(dataset, tokenizer, args),
    )
    batch = first_batch(trainer)
    texts = trained_text(tokenizer, batch["input_ids"], batch["completion_mask"])
    assert len(texts) == 4
    for text, label in zip(texts, batch["label"], strict=True):
        assert RESULT not in text
        assert "Find flight" not in text
        assert ("There is AF 1234." in text) is bool(label)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


@pytest.mark.parametrize("form", ["messages", "prompt-completion"])
def test_sft_trains_on_what_the_agent_wrote(tmp_path: Path, form: Any) -> None:
    tokenizer = build_tokenizer()
    dataset = to_sft_dataset(attempts(2), form=form)
    assert [row["episode"] for row in dataset] == ["good-0", "good-1"]
    trainer = SFTTrainer(
        model=build_model(tokenizer),
        args=SFTConfig(**common(tmp_path, assistant_only_loss=True)),
        train_dataset=dataset,
        processing_class=tokenizer,
    )
    batch = first_batch(trainer)
    texts = trained_text(tokenizer, batch["input_ids"], batch["labels"] != -100)
    assert texts == [CHOSEN, CHOSEN]
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


def test_tau_bench_trains_with_kto_and_refuses_pairs(tmp_path: Path, traces: Path) -> None:
    log = AgentRunLog.read(traces / "tau_bench")
    told = r"attempts that open with different prompts.*use to_kto_dataset, which needs no pairs"
    with pytest.raises(PromptsDifferError, match=told):
        to_preference_pairs(log, succeeded, failed)
    labelled = to_kto_dataset(log)
    assert sum(labelled["label"]) == sum(episode.success is True for episode in log)
    tokenizer = build_tokenizer()
    assert check_template(tokenizer, labelled) == ()
    # Two short ones: a tokenizer this small makes ten thousand tokens of a long one.
    short = sorted(range(len(labelled)), key=lambda row: len(str(labelled[row]["completion"])))
    some = labelled.select(short[:2])
    lengths = check_lengths(tokenizer, some)
    assert lengths.dropped == 2
    dataset = mask_tool_results(some, tokenizer)
    args = KTOConfig(**common(tmp_path, remove_unused_columns=False, max_length=lengths.fits_all))
    trainer = KTOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=args,
        train_dataset=dataset,
        processing_class=tokenizer,
        data_collator=masking_collator(dataset, tokenizer, args),
    )
    trainer.train()
    assert trainer.state.log_history[0]["loss"] > 0


def test_step_pairs_need_no_masks(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    runs = [each for each in attempts(2) if each.success]
    runs += [
        replace(
            each,
            id=f"bad {each.id}",
            success=False,
            messages=(*each.messages[:-1], replace_fields(each.messages[-1], content="No.")),
        )
        for each in runs
    ]
    trainer = DPOTrainer(
        model=build_model(tokenizer),
        ref_model=build_model(tokenizer),
        args=DPOConfig(**common(tmp_path)),
        train_dataset=to_preference_pairs(runs, succeeded, failed, mode="step"),
        processing_class=tokenizer,
    )
    batch = first_batch(trainer)
    texts = trained_text(tokenizer, batch["input_ids"], batch["completion_mask"])
    assert texts == [*["There is AF 1234.<|im_end|>"] * 2, *["No.<|im_end|>"] * 2]


def test_grpo_takes_the_prompts_and_hands_their_tasks_to_rewards(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    dataset = to_grpo_prompts(attempts(2))
    assert [(row["attempts"], row["success_rate"]) for row in dataset] == [(2, 0.5)] * 2
    seen: list[str] = []

    def reward(completions: list[Any], task: list[str], **_: Any) -> list[float | None]:
        seen.extend(task)
        return [float(len(each[0]["content"])) for each in completions]

    GRPOTrainer(
        model=build_model(tokenizer),
        args=GRPOConfig(**common(tmp_path, num_generations=2, max_completion_length=4)),
        reward_funcs=reward,
        train_dataset=dataset,
        processing_class=tokenizer,
    ).train()
    assert set(seen) <= {"task-0", "task-1"}
    assert seen


def test_what_is_left_of_a_data_set_on_disk_still_trains(tmp_path: Path) -> None:
    dataset = to_preference_pairs(attempts(2), succeeded, failed)
    dataset.save_to_disk(str(tmp_path / "pairs"))
    dataset.to_parquet(str(tmp_path / "pairs.parquet"))
    for again in (
        datasets.load_from_disk(str(tmp_path / "pairs")),
        datasets.Dataset.from_parquet(str(tmp_path / "pairs.parquet"), cache_dir=str(tmp_path)),
    ):
        assert list(again) == list(dataset)
