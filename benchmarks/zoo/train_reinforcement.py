"""Builds the trainers that sample their own completions: GRPO, RLOO and online DPO."""

from __future__ import annotations

from typing import Any

from corpus import prompt_rows
from language_model import load_model
from reward_faults import with_fault
from rewards import reward_function
from specification import RunSpecification
from transformers import Trainer
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

_CLASSES: dict[str, tuple[type[Any], type[Any]]] = {
    "grpo": (GRPOConfig, GRPOTrainer),
    "rloo": (RLOOConfig, RLOOTrainer),
    "online_dpo": (OnlineDPOConfig, OnlineDPOTrainer),
}


def build_trainer(specification: RunSpecification, scratch: str) -> Trainer:
    """Return the trainer of a specification, faults of the reward included, ready to train."""
    config_class, trainer_class = _CLASSES[specification.trainer]
    arguments = {
        "output_dir": scratch,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "logging_steps": 1,
        "lr_scheduler_type": "constant",
        **specification.arguments,
    }
    model, tokenizer = load_model(specification.model)
    reward = reward_function(specification.reward or "quality", padding=tokenizer.pad_token_id)
    trainer: Trainer = trainer_class(
        model=model,
        reward_funcs=with_fault(reward, specification.fault),
        args=config_class(**arguments),
        train_dataset=prompt_rows(specification.data, arguments.get("seed", 0)),
        processing_class=tokenizer,
    )
    return trainer
