"""Subclasses are recognised, adapters change nothing, and any other trainer gets what is common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus import DataRecipe, preference_rows, supervised_rows
from language_model import ModelRecipe, load_model
from peft import LoraConfig
from transformers import Trainer, TrainingArguments
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.ptt_trl.trainer_detection import detect_trainer

MODEL = ModelRecipe(hidden_size=64, steps=150)
DATA = DataRecipe(size=200)


@dataclass
class TeamConfig(DPOConfig):
    """As a team derives one."""

    team: str = "alignment"


class PatchedTrainer(DPOTrainer):
    """As a patching library derives one, under a name of its own."""


class Classifier(Trainer):
    """A trainer that is none of TRL's."""


def arguments(output_dir: Path, **given: Any) -> dict[str, Any]:
    return {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": 8,
        "max_steps": 8,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        **given,
    }


def start_metadata(output_dir: Path) -> dict[str, Any]:
    final = json.loads((output_dir / "ptt" / "run_metadata_final.json").read_text())
    assert (final["status"], final["failures"]) == ("completed", [])
    start: dict[str, Any] = json.loads((output_dir / "ptt" / "run_metadata_start.json").read_text())
    return start


def test_a_subclass_of_trainer_and_configuration_is_recognised(tmp_path: Path) -> None:
    model, tokenizer = load_model(MODEL)
    reference, _ = load_model(MODEL)
    PatchedTrainer(
        model=model,
        ref_model=reference,
        args=TeamConfig(**arguments(tmp_path)),
        train_dataset=preference_rows(DATA, seed=0),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback()],
    ).train()
    start = start_metadata(tmp_path)
    assert (start["trainer"], start["trainer_class"]) == ("dpo", "PatchedTrainer")
    assert start["configuration"]["team"] == "alignment"


def test_the_class_of_the_trainer_is_enough_to_recognise_it(tmp_path: Path) -> None:
    plain = TrainingArguments(**arguments(tmp_path))
    assert detect_trainer(plain, object.__new__(PatchedTrainer)) == "dpo"
    assert detect_trainer(plain, object.__new__(Classifier)) is None


def test_simpo_is_cpo_with_a_loss_of_its_own(tmp_path: Path) -> None:
    model, tokenizer = load_model(MODEL)
    CPOTrainer(
        model=model,
        args=CPOConfig(**arguments(tmp_path, loss_type="simpo", cpo_alpha=0.0)),
        train_dataset=preference_rows(DATA, seed=0),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback()],
    ).train()
    start = start_metadata(tmp_path)
    assert (start["trainer"], start["configuration"]["loss_type"]) == ("cpo", "simpo")


def test_a_dpo_run_with_an_adapter_has_its_reference_in_it(tmp_path: Path) -> None:
    model, tokenizer = load_model(MODEL)
    DPOTrainer(
        model=model,
        args=DPOConfig(**arguments(tmp_path)),
        train_dataset=preference_rows(DATA, seed=0),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
        callbacks=[DiagnosticsCallback()],
    ).train()
    start = start_metadata(tmp_path)
    assert start["trainer"] == "dpo"
    assert start["model"]["trainable_parameters"] < start["model"]["parameters"] / 10
    assert start["model"]["adapters"] == {"default": "LORA"}
    assert start["reference_model"] == {"class": "the same model without its adapter"}


def test_a_stop_of_an_sft_run_with_an_adapter_saves_the_adapter(tmp_path: Path) -> None:
    model, tokenizer = load_model(MODEL)
    SFTTrainer(
        model=model,
        # Too low to move anything.
        args=SFTConfig(**arguments(tmp_path, learning_rate=1e-9, max_steps=40)),
        train_dataset=supervised_rows(DATA, seed=0),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
        callbacks=[DiagnosticsCallback(stop_on=["learning_rate_negligible"])],
    ).train()
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["status"] == "stopped"
    assert (Path(final["stop"]["saved_checkpoint"]) / "adapter_model.safetensors").exists()


def test_any_other_trainer_gets_the_rules_for_all_and_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, _ = load_model(MODEL)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, 40, (64, 12), generator=generator)
    rows = [{"input_ids": each, "labels": each} for each in tokens]

    def broken(*_: Any, **__: Any) -> torch.Tensor:
        return next(model.parameters()).sum() * float("nan")

    trainer = Classifier(
        model=model,
        args=TrainingArguments(**arguments(tmp_path, max_steps=30)),
        train_dataset=rows,
        callbacks=[DiagnosticsCallback(stop_on="critical")],
    )
    trainer.compute_loss = broken  # type: ignore[method-assign]
    trainer.train()
    start = json.loads((tmp_path / "ptt" / "run_metadata_start.json").read_text())
    assert (start["trainer"], start["trainer_class"]) == (None, "Classifier")
    assert start["dataset"] == {
        "class": "list",
        "name": None,
        "rows": 64,
        "columns": None,
        "fingerprint": None,
        "sample_sha256": None,
    }
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["stop"]["rule"] == "nan_hidden_by_filter"
    assert final["stop"]["saved_checkpoint"] is None
    shown = " ".join(capsys.readouterr().out.split())
    assert "its trainer is not known, so only the rules for every trainer apply" in shown
