"""The trainer is recognised by the class of its arguments and that class's bases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trl
from transformers import TrainingArguments

from post_training_toolkit.ptt_trl.run_description import plain_configuration
from post_training_toolkit.ptt_trl.trainer_detection import detect_trainer


@dataclass
class TeamConfig(trl.DPOConfig):
    """As a team or a patching library derives one."""

    team: str = "alignment"


@pytest.mark.parametrize(
    ("config_class", "trainer"),
    [
        (trl.DPOConfig, "dpo"),
        (trl.SFTConfig, "sft"),
        (trl.KTOConfig, "kto"),
        (trl.GRPOConfig, "grpo"),
        (trl.RLOOConfig, "rloo"),
        (trl.RewardConfig, "reward"),
        (TeamConfig, "dpo"),
        (TrainingArguments, None),
    ],
)
def test_config_classes(config_class: type[Any], trainer: str | None, tmp_path: Path) -> None:
    arguments = config_class(output_dir=str(tmp_path), use_cpu=True, report_to="none", bf16=False)
    assert detect_trainer(arguments) == trainer


def test_the_configuration_is_plain_json_without_secrets(tmp_path: Path) -> None:
    arguments = TeamConfig(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", bf16=False, hub_token="hf_secret"
    )
    configuration = plain_configuration(arguments)
    assert configuration["beta"] == 0.1
    assert configuration["loss_type"] == ["sigmoid"]
    assert configuration["team"] == "alignment"
    assert configuration["world_size"] == 1
    assert "hf_secret" not in str(configuration)


def test_secrets_are_masked_at_every_level_and_odd_values_become_text(tmp_path: Path) -> None:
    arguments = TeamConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        report_to="none",
        bf16=False,
        model_init_kwargs={"token": "hf_deep", "dtype": "float32", "ids": (1, 2**70)},
    )
    configuration = plain_configuration(arguments)
    assert configuration["model_init_kwargs"] == {
        "token": "<masked>",
        "dtype": "float32",
        "ids": [1, str(2**70)],
    }
    # Not every token is a secret.
    assert configuration["include_num_input_tokens_seen"] == "no"
