"""Snapshots in a training: it goes on to the bit as without them, whatever they do."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig
from tiny_language_model import build_tokenizer, preference_dataset, supervised_dataset
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
)
from trl import (
    DPOConfig,
    DPOTrainer,
    GRPOConfig,
    GRPOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)

from post_training_toolkit import DiagnosticsCallback, Generation, SnapshotSettings
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.ptt_trl.snapshots.answering import prompt_tokens
from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import Moment
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import read_snapshot, snapshot_paths
from post_training_toolkit.ptt_trl.snapshots.taking import take_snapshot

QUESTIONS = ("What is 2 plus 3?", "What is the opposite of hot?", "Hello!", "What comes after May?")
Build = Callable[..., Trainer]


@pytest.fixture(scope="module", name="prompts")
def _prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    rows = [
        {"text": f"Question: {question} Answer:", "kind": "benign", "sampled": number < 2}
        for number, question in enumerate(QUESTIONS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module", name="settings")
def _settings(prompts: Path) -> SnapshotSettings:
    return SnapshotSettings(
        every=3,
        prompts=prompts,
        built_in=False,
        generation=Generation(max_new_tokens=8, samples=2, batch_size=3),
    )


@pytest.fixture(scope="module", name="build")
def _build(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> Build:
    """Build a trainer whose losses depend on every random number and every mode."""

    def build(kind: str, output_dir: Path, *callbacks: TrainerCallback, **given: Any) -> Trainer:
        common: dict[str, Any] = {
            "output_dir": str(output_dir),
            "per_device_train_batch_size": 4,
            "learning_rate": 1e-3,
            "max_steps": 8,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": True,
            "seed": 3,
            **given,
        }
        policy = copy.deepcopy(model)
        policy.config.attention_dropout = 0.2
        policy.generation_config.repetition_penalty = 1.3
        parts: dict[str, Any] = {
            "model": policy,
            "processing_class": tokenizer,
            "callbacks": list(callbacks),
        }
        match kind:
            case "sft":
                return SFTTrainer(
                    args=SFTConfig(**common), train_dataset=supervised_dataset(64, seed=1), **parts
                )
            case "adapter":
                adapter = LoraConfig(lora_dropout=0.3, target_modules=["q_proj"], r=4)
                return SFTTrainer(
                    args=SFTConfig(**common),
                    train_dataset=supervised_dataset(64, seed=1),
                    peft_config=adapter,
                    **parts,
                )
            case "dpo":
                return DPOTrainer(
                    args=DPOConfig(**common),
                    ref_model=copy.deepcopy(model),
                    train_dataset=preference_dataset(64, seed=1),
                    **parts,
                )
            case _:
                return GRPOTrainer(
                    args=GRPOConfig(**common, num_generations=2, max_completion_length=8),
                    reward_funcs=_length_reward,
                    train_dataset=supervised_dataset(64, seed=1).select_columns("prompt"),
                    **parts,
                )

    return build


def _length_reward(completions: list[str], **_: object) -> list[float | None]:
    return [float(len(each)) for each in completions]


def _losses(trainer: Trainer) -> list[tuple[float, float]]:
    history = trainer.state.log_history
    return [(row["loss"], row["grad_norm"]) for row in history if "loss" in row]


@pytest.mark.parametrize("kind", ["sft", "adapter", "dpo", "grpo"])
def test_losses_are_the_same_to_the_bit_with_snapshots_and_without(
    build: Build, settings: SnapshotSettings, tmp_path: Path, kind: str
) -> None:
    without = build(kind, tmp_path / "without")
    without.train()
    watched = build(kind, tmp_path / "with", DiagnosticsCallback(snapshots=settings))
    watched.train()
    assert len(_losses(watched)) == 8
    assert _losses(watched) == _losses(without)
    taken = [read_snapshot(path) for path in snapshot_paths(tmp_path / "with" / "ptt")]
    assert [(each.step, each.moment) for each in taken] == [
        (0, Moment.START),
        (3, Moment.DURING),
        (6, Moment.DURING),
        (8, Moment.END),
    ]
    # Four greedy replies, and two more to each of two prompts.
    assert [len(each.replies) for each in taken] == [8, 8, 8, 8]


class Looking(TrainerCallback):
    """Remembers what a snapshot must not change, as it is before and after."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at modes, settings, weights, and generators."""
        model = kwargs["model"]
        self.seen.append(
            (
                [module.training for module in model.modules()],
                id(model.generation_config),
                "generation_config" in vars(model),
                model.config.use_cache,
                [each.is_gradient_checkpointing for each in (model,)],
                [float(each.detach().sum()) for each in model.state_dict().values()],
                torch.get_rng_state().tolist(),
                random.getstate(),
                np.random.get_state(legacy=False)["state"]["key"].tolist(),
            )
        )


@pytest.mark.parametrize("kind", ["sft", "adapter"])
def test_a_snapshot_leaves_mode_weights_settings_and_randomness_as_found(
    build: Build, settings: SnapshotSettings, tmp_path: Path, kind: str
) -> None:
    before, after = Looking(), Looking()
    callback = DiagnosticsCallback(snapshots=settings)
    trainer = build(kind, tmp_path, before, callback, after)
    # A part that a user has frozen in evaluation stays so.
    assert trainer.model is not None
    frozen = next(module for module in trainer.model.modules() if "MLP" in type(module).__name__)
    frozen.eval()
    trainer.train()
    assert len(before.seen) == 8
    assert before.seen == after.seen


def test_a_failing_snapshot_leaves_everything_as_found_and_ends_the_snapshots(
    build: Build, settings: SnapshotSettings, tmp_path: Path
) -> None:
    without = build("sft", tmp_path / "without")
    without.train()
    before, after = Looking(), Looking()
    callback = DiagnosticsCallback(snapshots=settings)
    trainer = build("sft", tmp_path / "with", before, callback, after)
    asked = []

    def out_of_memory(**given: Any) -> None:
        asked.append(given)
        torch.rand(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert trainer.model is not None
    trainer.model.generate = out_of_memory  # type: ignore[assignment]
    trainer.train()
    assert before.seen == after.seen
    assert _losses(trainer) == _losses(without)
    assert len(asked) == 1
    report = (tmp_path / "with" / "ptt" / "reports" / "run_report.md").read_text()
    assert "CUDA out of memory" in report
    assert not snapshot_paths(tmp_path / "with" / "ptt")


def test_a_model_that_writes_no_text_gets_no_snapshot_and_a_sentence(
    tokenizer: PreTrainedTokenizerFast,
    settings: SnapshotSettings,
    tmp_path: Path,
    model: LlamaForCausalLM,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    trainer = RewardTrainer(
        model=LlamaForSequenceClassification(config),  # type: ignore[no-untyped-call]
        args=RewardConfig(
            output_dir=str(tmp_path), max_steps=2, logging_steps=1, use_cpu=True, bf16=False
        ),
        train_dataset=preference_dataset(16, seed=1),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback(snapshots=settings)],
    )
    trainer.train()
    told = "no snapshots are taken: LlamaForSequenceClassification does not generate text"
    assert told in " ".join(capsys.readouterr().out.split())
    assert not snapshot_paths(tmp_path / "ptt")


def test_measures_are_metrics_whose_insights_replay_to_the_byte(
    build: Build, settings: SnapshotSettings, tmp_path: Path
) -> None:
    rules = tmp_path / "own.yaml"
    rules.write_text(
        "version: 1\n"
        "rules:\n"
        "  - {id: moved, title: It has moved, metric: snapshot/policy_drift,\n"
        "     threshold: {above: 0}, severity: low, message: 'moved by {value:.3g}',\n"
        "     remediation: [Look.], citation: [], threshold_origin: empirical,\n"
        "     detects: [policy_drift]}\n"
    )
    callback = DiagnosticsCallback(snapshots=settings, rules=rules)
    build("sft", tmp_path / "run", callback, gradient_checkpointing=False).train()
    folder = tmp_path / "run" / "ptt"
    insights = (folder / "insights.jsonl").read_bytes()
    [fired] = [json.loads(line) for line in insights.splitlines() if b'"moved"' in line][:1]
    assert fired["step"] == 3
    assert b"".join(map(insight_line, replay_run_directory(folder))) == insights


class DieError(Exception):
    """What a run dies of."""


class DieAt(TrainerCallback):
    """Raises after a step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise once."""
        if state.global_step == 7:
            raise DieError


def test_a_resumed_run_measures_against_its_own_start_as_if_uninterrupted(
    build: Build, settings: SnapshotSettings, tmp_path: Path
) -> None:
    saving = {"save_strategy": "steps", "save_steps": 4}
    whole = DiagnosticsCallback(snapshots=settings)
    build("sft", tmp_path / "whole", whole, **saving).train()
    dying = build(
        "sft", tmp_path / "run", DiagnosticsCallback(snapshots=settings), DieAt(), **saving
    )
    with pytest.raises(DieError):
        dying.train()
    folder = tmp_path / "run" / "ptt"
    before = [path.name for path in snapshot_paths(folder)]
    assert before == ["step-000000.json", "step-000003.json", "step-000006.json"]
    resumed = build("sft", tmp_path / "run", DiagnosticsCallback(snapshots=settings), **saving)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-4"))
    # What was taken behind the checkpoint no longer counts, but is not lost.
    assert (folder / "snapshots" / "before-resume-1" / "step-000006.json").exists()
    last = [
        read_snapshot(snapshot_paths(each)[-1]) for each in (folder, tmp_path / "whole" / "ptt")
    ]
    assert last[0].measures == last[1].measures
    assert last[0].measures["policy_drift"] > 0
    assert last[0].replies == last[1].replies


def test_a_model_of_few_positions_reads_what_fits(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=48, n_embd=16, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(config)
    long = Prompt("long", PromptKind.OTHER, text="What is 2 plus 3? " * 50)
    taken = take_snapshot(model, tokenizer, [long], Generation(max_new_tokens=8))
    assert taken.replies[0].tokens > 0
    assert taken.measures["perplexity"] > 1


def test_a_chat_is_asked_by_the_template_and_a_text_as_it_is() -> None:
    tokenizer = build_tokenizer()
    hello = Prompt("chat", PromptKind.OTHER, messages=(Message("user", "Hello!"),))
    plain = Prompt("text", PromptKind.OTHER, text="Hello!")
    assert prompt_tokens(tokenizer, hello) == prompt_tokens(tokenizer, plain)
    tokenizer.chat_template = (
        "{% for message in messages %}Question: {{ message.content }}{% endfor %}"
        "{% if add_generation_prompt %} Answer:{% endif %}"
    )
    decoded = tokenizer.decode(prompt_tokens(tokenizer, hello))
    assert decoded == tokenizer.decode(tokenizer("Question: Hello! Answer:")["input_ids"])
    assert prompt_tokens(tokenizer, plain) == tokenizer("Hello!")["input_ids"]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_reply_is_the_same_in_a_batch_and_alone_whatever_the_padding_side(
    model: LlamaForCausalLM, side: str
) -> None:
    tokenizer = build_tokenizer()
    tokenizer.padding_side = side
    prompts = [
        Prompt(str(number), PromptKind.OTHER, text=f"Question: {each} Answer:", sampled=True)
        for number, each in enumerate(QUESTIONS)
    ]
    generation = Generation(max_new_tokens=12, samples=2)
    together = take_snapshot(model, tokenizer, prompts, generation).replies
    alone = [take_snapshot(model, tokenizer, [each], generation).replies for each in prompts]
    assert together == tuple(reply for replies in alone for reply in replies)


def test_a_classifier_that_judges_not_every_reply_is_told(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    asked = [Prompt("a", PromptKind.OTHER, text="Hello!")]
    generation = Generation(max_new_tokens=2)
    with pytest.raises(ValueError, match="gave 0 answers for 1 replies; one for each is right"):
        take_snapshot(model, tokenizer, asked, generation, classify=lambda prompts, texts: [])
