"""Run under torchrun by test_two_ranks.py: a DPO run that asks for a stop on every rank."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import torch
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from post_training_toolkit import DiagnosticsCallback


class LogOnFirstRank(TrainerCallback):
    """Logs a metric on rank 0 alone, as users do with the score of a judge."""

    trainer: DPOTrainer

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log, where a collective call would wait for the other rank for ever."""
        if state.is_world_process_zero:
            self.trainer.log({"judge_score": 0.5})


def main() -> None:
    """Train with a learning rate that changes nothing, and write where this rank stopped."""
    torch.set_num_threads(1)
    output_dir = Path(sys.argv[1])
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, seed=0)
    arguments = DPOConfig(
        output_dir=str(output_dir),
        per_device_train_batch_size=4,
        learning_rate=2e-8,
        max_steps=40,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    trainer = DPOTrainer(
        model=copy.deepcopy(model),
        ref_model=model,
        args=arguments,
        train_dataset=preference_dataset(400, seed=1),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback(stop_on="high")],
    )
    judge = LogOnFirstRank()
    judge.trainer = trainer
    trainer.add_callback(judge)
    trainer.train()
    rank = arguments.process_index
    (output_dir / f"rank-{rank}.txt").write_text(str(trainer.state.global_step))


if __name__ == "__main__":
    main()
