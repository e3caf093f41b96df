"""Builds the PPO trainer of TRL 1.12.0, the last release that has one."""

from __future__ import annotations

import gc
from typing import Any

from corpus import prompt_rows
from datasets import Dataset
from faults import LearningRateJump
from language_model import load_model, with_score_head
from reward_faults import is_reward_fault
from scoring import ScoreModel, learned_scores, rule_scores, with_fault
from specification import RunSpecification
from transformers import PreTrainedTokenizerFast, Trainer, set_seed
from trl.experimental.ppo import PPOConfig, PPOTrainer  # type: ignore[import-not-found]


class _JumpAfterUpdate(LearningRateJump):
    """PPOTrainer announces the end of an update, but not its beginning."""

    on_step_end = LearningRateJump.on_step_begin


def build_trainer(specification: RunSpecification, scratch: str) -> Trainer:
    """Return the trainer of a specification, faults of the reward included, ready to train.

    A specification that names no reward gets a reward model that prefers polite answers.
    """
    arguments: dict[str, Any] = {
        "output_dir": scratch,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "lr_scheduler_type": "constant",
        "num_sample_generations": 0,
        "stop_token": "eos",
        **specification.arguments,
    }
    seed = arguments["seed"]
    # Unlike the other trainers, this one does not seed the generators that the policy samples with.
    set_seed(seed)
    policy, tokenizer = load_model(specification.model)
    reference, _ = load_model(specification.model)
    rows = _tokenised(prompt_rows(specification.data, seed), tokenizer)
    if specification.reward is None:
        scores = learned_scores(specification.model, tokenizer)
    else:
        scores = rule_scores(specification.reward, tokenizer)
    if specification.fault is not None and is_reward_fault(specification.fault):
        # The trainer is made below: the function is first called once it trains.
        scores = with_fault(scores, specification.fault, lambda: trainer.state.global_step)
    trainer: Trainer = PPOTrainer(
        args=PPOConfig(**arguments),
        processing_class=tokenizer,
        model=policy,
        ref_model=reference,
        reward_model=ScoreModel(scores),
        value_model=with_score_head(policy, seed),
        train_dataset=rows,
        eval_dataset=rows,
    )
    if specification.fault is not None and specification.fault.name == "lr_jump":
        trainer.add_callback(_JumpAfterUpdate(specification.fault))
    # The trainer collects garbage twice an update, which would go through every imported module.
    gc.freeze()
    return trainer


def _tokenised(rows: Dataset, tokenizer: PreTrainedTokenizerFast) -> Dataset:
    return Dataset.from_list([{"input_ids": tokenizer(row["prompt"])["input_ids"]} for row in rows])
