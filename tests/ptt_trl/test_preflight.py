"""What is wrong before the first step is told before the first step."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from tiny_language_model import preference_dataset, supervised_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.ptt_trl.preflight import preflight_row
from post_training_toolkit.ptt_trl.training_parts import TrainingParts


@pytest.fixture(name="policy")
def _policy(model: Any) -> Any:
    """A copy that a test may train or spoil."""
    return copy.deepcopy(model)


def settings(output_dir: Path, **given: Any) -> dict[str, Any]:
    return {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": 8,
        "max_steps": 4,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        **given,
    }


def told(output_dir: Path, step: int = 0) -> set[str]:
    """Return the rules whose insight fired at a step, after checking that a replay agrees."""
    run_dir = output_dir / "ptt"
    written = (run_dir / "insights.jsonl").read_bytes()
    assert b"".join(map(insight_line, replay_run_directory(run_dir))) == written
    events = [json.loads(line) for line in written.splitlines()]
    return {each["rule"] for each in events if each["event"] == "fired" and each["step"] == step}


def measured(output_dir: Path) -> dict[str, float]:
    lines = (output_dir / "ptt" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line).get("logs", {}) for line in lines]
    [row] = [each for each in rows if "preflight/parameters" in each]
    return {name.removeprefix("preflight/"): value for name, value in row.items()}


def dpo(
    policy: Any,
    tokenizer: Any,
    output_dir: Path,
    *,
    reference: Any = None,
    rows: Any = None,
    stop_on: str | None = None,
    **given: Any,
) -> DPOTrainer:
    """Train; further arguments go to the configuration."""
    trainer = DPOTrainer(
        model=policy,
        ref_model=reference or copy.deepcopy(policy),
        train_dataset=rows or preference_dataset(200, seed=1),
        args=DPOConfig(**settings(output_dir, **given)),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback(stop_on=stop_on)],
    )
    trainer.train()
    return trainer


def sft(
    policy: Any,
    tokenizer: Any,
    output_dir: Path,
    spoil: Callable[[dict[str, Any]], None],
    *callbacks: TrainerCallback,
) -> None:
    """Train with batches that are spoilt as they are made."""
    trainer = SFTTrainer(
        model=policy,
        args=SFTConfig(**settings(output_dir)),
        train_dataset=supervised_dataset(200, seed=1),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    collate = trainer.data_collator

    def spoilt(rows: list[Any]) -> dict[str, Any]:
        batch = dict(collate(rows))
        spoil(batch)
        return batch

    trainer.data_collator = spoilt
    trainer.train()


def test_a_sound_run_is_told_nothing_and_its_measures_are_kept(
    policy: Any, tokenizer: Any, tmp_path: Path
) -> None:
    dpo(policy, tokenizer, tmp_path)
    assert told(tmp_path) == set()
    found = measured(tmp_path)
    assert found["parameters"] == found["trainable_parameters"] > 100_000
    assert found["trained_ends"] == 1.0
    assert {name for name, value in found.items() if value == 0} == {
        "shared_with_reference",
        "pad_is_eos",
        "equal_pairs",
        "at_max_length",
        "untrained_examples",
    }


def test_labels_that_are_all_masked(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    def mask(batch: dict[str, Any]) -> None:
        batch["labels"] = torch.full_like(batch["labels"], -100)

    sft(policy, tokenizer, tmp_path, mask, DiagnosticsCallback())
    assert told(tmp_path) == {"labels_all_masked"}


def test_an_end_token_that_is_never_trained(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    def mask(batch: dict[str, Any]) -> None:
        batch["labels"][batch["labels"] == tokenizer.eos_token_id] = -100

    sft(policy, tokenizer, tmp_path, mask, DiagnosticsCallback())
    assert told(tmp_path) == {"end_never_trained"}


def test_random_numbers_that_a_collator_draws_are_put_back(
    policy: Any, tokenizer: Any, tmp_path: Path
) -> None:
    def drawn(name: str, *callbacks: TrainerCallback) -> list[Any]:
        numbers: list[Any] = []

        def draw(batch: dict[str, Any]) -> None:
            of_numpy = np.random.rand()
            numbers.append((torch.rand(1).item(), random.random(), of_numpy))

        sft(copy.deepcopy(policy), tokenizer, tmp_path / name, draw, *callbacks)
        return numbers

    # The first batch is the one that is looked at; then all goes on as without it.
    looked_at, *trained_on = drawn("watched", DiagnosticsCallback())
    assert trained_on == drawn("alone")
    # torch alone is asked for the order of the examples in between.
    assert looked_at[1:] == trained_on[0][1:]


def test_a_frozen_model_is_told_though_the_run_dies_of_it(
    policy: Any, tokenizer: Any, tmp_path: Path
) -> None:
    frozen = policy.requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        dpo(frozen, tokenizer, tmp_path, gradient_checkpointing=False)
    assert told(tmp_path) == {"nothing_to_train", "no_gradient", "training_died"}
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    [root] = [each for each in final["insights"] if each["caused_by"] is None]
    assert root["insight"] == "nothing_to_train#1"


def test_chosen_equal_to_rejected(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    rows = preference_dataset(200, seed=1)
    same = rows.remove_columns("rejected").add_column("rejected", list(rows["chosen"]))
    dpo(policy, tokenizer, tmp_path, rows=same)
    assert told(tmp_path) == {"pairs_all_equal"}


def test_beta_0_stops_the_run_after_its_first_step(
    policy: Any, tokenizer: Any, tmp_path: Path
) -> None:
    trainer = dpo(policy, tokenizer, tmp_path, beta=0.0, stop_on="critical")
    assert told(tmp_path) == {"beta_set_to_zero"}
    assert trainer.state.global_step == 1
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["stop"]["rule"] == "beta_set_to_zero"
    assert Path(final["stop"]["saved_checkpoint"]).is_dir()


def test_a_reference_that_shares_its_weights(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    # Another object around the same tensors.
    dpo(policy, tokenizer, tmp_path, reference=copy.copy(policy))
    assert told(tmp_path) == {"reference_is_policy"}


def test_examples_that_are_cut(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    dpo(policy, tokenizer, tmp_path, max_length=16)
    assert "max_length_cuts_examples" in told(tmp_path)


def test_a_stream_is_not_read(policy: Any, tokenizer: Any, tmp_path: Path) -> None:
    taken = []

    def rows() -> Any:
        for row in preference_dataset(64, seed=1):
            taken.append(row)
            yield row

    stream = datasets.IterableDataset.from_generator(rows)
    dpo(policy, tokenizer, tmp_path, rows=stream)
    assert set(measured(tmp_path)).isdisjoint({"equal_pairs", "untrained_examples"})


def test_references_longer_than_completions_may_be(tokenizer: Any) -> None:
    rows = datasets.Dataset.from_dict({"prompt": ["a"] * 4, "solution": ["the sum is 5 " * 20] * 4})
    parts = TrainingParts(None, None, None, tokenizer, rows, None)
    row = preflight_row({"max_completion_length": 32}, parts, Containment())
    assert row["preflight/reference_tokens"] > row["preflight/completion_cap"] == 32


def test_weights_of_both_kinds_of_examples(tokenizer: Any) -> None:
    rows = datasets.Dataset.from_dict({"label": [True] * 30 + [False] * 10})
    parts = TrainingParts(None, None, None, tokenizer, rows, None)
    weights = {"desirable_weight": 1.0, "undesirable_weight": 2.0}
    row = preflight_row(weights, parts, Containment())
    assert row["preflight/class_weight_ratio"] == pytest.approx(1.5)
