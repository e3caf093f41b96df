"""Builds the trainers that learn from given rows: SFT, reward models and preferences."""

from __future__ import annotations

import dataclasses
from typing import Any

from corpus import labelled_rows, preference_rows, supervised_rows
from language_model import load_model, with_score_head
from specification import RunSpecification
from transformers import Trainer
from trl import (
    DPOConfig,
    DPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

_CLASSES: dict[str, tuple[type[Any], type[Any]]] = {
    "sft": (SFTConfig, SFTTrainer),
    "reward": (RewardConfig, RewardTrainer),
    "dpo": (DPOConfig, DPOTrainer),
    "kto": (KTOConfig, KTOTrainer),
    "orpo": (ORPOConfig, ORPOTrainer),
    "cpo": (CPOConfig, CPOTrainer),
}
_ROWS = {"sft": supervised_rows, "kto": labelled_rows}
_EVALUATION_ROWS = 64


def build_trainer(specification: RunSpecification, scratch: str) -> Trainer:
    """Return the trainer of a specification, faults of the data included, ready to train."""
    config_class, trainer_class = _CLASSES[specification.trainer]
    recipe = specification.data
    arguments = {
        "output_dir": scratch,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "logging_steps": 1,
        "max_length": 128,
        "lr_scheduler_type": "constant",
        **specification.arguments,
    }
    if not recipe.is_unordered:
        # A fault that sets in at a row needs the rows in their order.
        arguments["train_sampling_strategy"] = "sequential"
    seed = arguments.get("seed", 0)
    rows = _ROWS.get(specification.trainer, preference_rows)
    # Rows that the run never sees, made in the same way.
    fresh = dataclasses.replace(recipe, size=_EVALUATION_ROWS)
    model, tokenizer = load_model(specification.model)
    trainer: Trainer = trainer_class(
        model=with_score_head(model, seed) if specification.trainer == "reward" else model,
        args=config_class(**arguments),
        train_dataset=rows(recipe, seed),
        eval_dataset=rows(fresh, seed + 1000) if "eval_strategy" in arguments else None,
        processing_class=tokenizer,
    )
    return trainer
