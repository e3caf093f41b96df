"""Every row that a trainer logs is kept as it was, with canonical names beside it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_language_model import preference_dataset
from trl import DPOConfig, DPOTrainer

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory


@pytest.fixture(scope="module", name="trainer")
def _trainer(model: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> DPOTrainer:
    """Evaluated before the training, during it, and after it."""
    arguments = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("metrics")),
        per_device_train_batch_size=8,
        learning_rate=2e-4,
        max_steps=12,
        logging_steps=2,
        eval_strategy="steps",
        eval_steps=6,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    trainer = DPOTrainer(
        model=copy.deepcopy(model),
        ref_model=copy.deepcopy(model),
        args=arguments,
        train_dataset=preference_dataset(200, seed=1),
        eval_dataset=preference_dataset(16, seed=2),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback()],
    )
    trainer.evaluate()
    trainer.train()
    trainer.evaluate()
    return trainer


@pytest.fixture(scope="module", name="lines")
def _lines(trainer: DPOTrainer) -> list[dict[str, Any]]:
    metrics = Path(trainer.args.output_dir or "", "ptt", "metrics.jsonl")
    return [json.loads(line) for line in metrics.read_text().splitlines()]


def test_all_that_the_trainer_logged_is_there_in_order(
    trainer: DPOTrainer, lines: list[dict[str, Any]]
) -> None:
    # The toolkit's own rows stand between the trainer's.
    own = {"preflight/parameters", "memory/mean"}
    logged = [line for line in lines if "logs" in line and not own & line["logs"].keys()]
    # Training empties the history, so the evaluation before it is in the file alone.
    assert any("eval_loss" in name for name in logged[0]["logs"])
    assert logged[0]["step"] == 0
    history = trainer.state.log_history
    assert len(logged) == 1 + len(history)
    for line, row in zip(logged[1:], history, strict=True):
        assert line["step"] == row["step"]
        expected = {name: value for name, value in row.items() if name not in ("step", "epoch")}
        assert {name: line["logs"][name] for name in expected} == expected
    assert any("train_runtime" in line["logs"] for line in logged)
    assert "eval_loss" in logged[-1]["logs"]


def test_canonical_names_stand_beside_the_trainers_own(lines: list[dict[str, Any]]) -> None:
    trained = next(line for line in lines if "loss" in line.get("logs", {}))
    assert trained["canonical"]["reward_margin"] == trained["logs"]["rewards/margins"]
    assert trained["canonical"]["win_rate"] == trained["logs"]["rewards/accuracies"]
    # What has the same name is not written twice.
    assert "loss" not in trained["canonical"]


def test_an_evaluation_after_the_end_is_kept_and_not_judged(
    trainer: DPOTrainer, lines: list[dict[str, Any]]
) -> None:
    events = [line.get("event") for line in lines]
    assert "eval_loss" in lines[-1]["logs"]
    assert events.index("train_end") == len(lines) - 2
    run_dir = Path(trainer.args.output_dir or "", "ptt")
    replayed = b"".join(insight_line(each) for each in replay_run_directory(run_dir))
    assert replayed == (run_dir / "insights.jsonl").read_bytes()
