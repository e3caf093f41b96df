"""Real trainers on a tiny real model, shared by the tests of the callback."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_language_model import (
    build_model,
    build_tokenizer,
    preference_dataset,
    pretrain,
    supervised_dataset,
)
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

LEARNING = 2e-4
NOT_LEARNING = 2e-8

RunTrainer = Callable[..., Trainer]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="session", name="tokenizer")
def _tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


@pytest.fixture(scope="session", name="model")
def _model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A model trained for a few seconds; every run works on a copy."""
    torch.set_num_threads(1)
    model = build_model(tokenizer, seed=0)
    pretrain(model, tokenizer, supervised_dataset(2000, seed=0), seed=0, steps=150)
    return model


def _arguments(output_dir: Path, given: dict[str, Any]) -> dict[str, Any]:
    common = {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": 8,
        "learning_rate": LEARNING,
        "max_steps": 30,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "seed": 3,
    }
    return {**common, **given}


@pytest.fixture(scope="session", name="run_dpo")
def _run_dpo(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> RunTrainer:
    """Train by DPO and return the trainer; further arguments go to the config."""

    def run(
        output_dir: Path,
        *callbacks: TrainerCallback,
        config_class: type[DPOConfig] = DPOConfig,
        resume_from: Path | None = None,
        **given: Any,
    ) -> Trainer:
        trainer = DPOTrainer(
            model=copy.deepcopy(model),
            # Without one TRL loads the reference by name, and this model has none.
            ref_model=copy.deepcopy(model),
            args=config_class(**_arguments(output_dir, given)),
            train_dataset=preference_dataset(400, seed=1),
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        return trainer

    return run


@pytest.fixture(scope="session", name="run_sft")
def _run_sft(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> RunTrainer:
    """Train by SFT and return the trainer; further arguments go to the config."""

    def run(output_dir: Path, *callbacks: TrainerCallback, **given: Any) -> Trainer:
        trainer = SFTTrainer(
            model=copy.deepcopy(model),
            args=SFTConfig(**_arguments(output_dir, given)),
            train_dataset=supervised_dataset(400, seed=1),
            eval_dataset=supervised_dataset(32, seed=2),
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        trainer.train()
        return trainer

    return run


@pytest.fixture(scope="session", name="browser")
def _browser() -> Iterator[Any]:
    """Chromium without a window, that tells of every message and every request."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium is installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()
