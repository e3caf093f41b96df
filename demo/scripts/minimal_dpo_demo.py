"""Show a DPO run that does not learn next to one that does, both watched by the toolkit.

Run ``python demo/scripts/minimal_dpo_demo.py``: no GPU, no network, under three minutes.
The results are written to ``demo/outputs/``.
"""

import argparse
import copy
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# TRL reports usage to the Hugging Face hub unless it is told to stay offline before its import.
os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import torch
from datasets import Dataset
from tiny_language_model import (
    answer,
    build_model,
    build_tokenizer,
    preference_dataset,
    pretrain,
    supervised_dataset,
)
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, ProgressCallback
from trl import DPOConfig, DPOTrainer

from post_training_toolkit import DiagnosticsCallback

OUTPUTS = Path(__file__).resolve().parents[1] / "outputs"
BROKEN_RUN = OUTPUTS / "dpo_run"
BROKEN_CHECKPOINTS = OUTPUTS / "dpo_checkpoints"
HEALTHY_RUN = OUTPUTS / "healthy_run"
HEALTHY_CHECKPOINTS = OUTPUTS / "healthy_checkpoints"

QUESTIONS = ("What is 2 plus 3?", "What is the opposite of hot?", "What is the capital of Japan?")

DESCRIPTIONS = {
    "reports/run_report.md": "what was found in this run and what to do about it",
    "run_metadata_start.json": "how the run was set up: configuration, versions, machine",
    "run_metadata_final.json": "how the run ended",
    "metrics.jsonl": "every logged step, one line each",
    "insights.jsonl": "every insight, one line each",
    "rules/": "the rule files this run was judged by",
}


class ProgressBarOnly(ProgressCallback):
    """Keep the progress bar of the trainer without its printed dictionary of metrics per step."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo from pretraining to the list of files to open."""
    options = _parse_arguments(arguments)
    for folder in (BROKEN_RUN, BROKEN_CHECKPOINTS, HEALTHY_RUN, HEALTHY_CHECKPOINTS):
        if folder.exists():
            shutil.rmtree(folder)
    _keep_the_output_readable()
    # On a busy machine two threads wait for each other far longer than this model computes.
    torch.set_num_threads(1)

    tokenizer = build_tokenizer()
    pretrained = pretrain_model(tokenizer)
    preferences = preference_dataset(4000, seed=1)
    train_broken(pretrained, tokenizer, preferences, stop_on=options.stop_on)
    train_healthy(pretrained, tokenizer, preferences)
    print_what_to_open()


def pretrain_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Build the model both runs start from and show what it answers."""
    _announce(
        "1. Build and pretrain a tiny language model",
        "A model of 0.5 million parameters learns to answer short questions (about 20 seconds).",
        "You should see correct but terse answers.",
    )
    model = build_model(tokenizer, seed=0)
    pretrain(model, tokenizer, supervised_dataset(10_000, seed=0), seed=0)
    _print_answers(model, tokenizer)
    return model


def train_broken(
    pretrained: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    preferences: Dataset,
    *,
    stop_on: str | None,
) -> None:
    """Run DPO with a learning rate far too small to change anything."""
    _announce(
        "2. A broken DPO run",
        "DPO should teach it to prefer polite sentences, but the learning rate is 2e-8.",
        "You should see an insight, while the run is alive, that the model does not learn.",
    )
    model = copy.deepcopy(pretrained)
    trainer = build_trainer(
        model,
        tokenizer,
        preferences,
        checkpoints=BROKEN_CHECKPOINTS,
        callback=DiagnosticsCallback(run_dir=BROKEN_RUN, stop_on=stop_on),
        learning_rate=2e-8,
        steps=70,
    )
    _train(trainer)
    _print_answers(model, tokenizer)


def train_healthy(
    pretrained: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, preferences: Dataset
) -> None:
    """Run DPO on the same model and data with a sensible learning rate."""
    _announce(
        "3. A healthy DPO run",
        "The same model and the same data, with a learning rate of 2e-4.",
        "You should see no insight, and full polite sentences at the end.",
    )
    model = copy.deepcopy(pretrained)
    trainer = build_trainer(
        model,
        tokenizer,
        preferences,
        checkpoints=HEALTHY_CHECKPOINTS,
        callback=DiagnosticsCallback(run_dir=HEALTHY_RUN),
        learning_rate=2e-4,
        steps=120,
    )
    _train(trainer)
    _print_answers(model, tokenizer)


def build_trainer(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    preferences: Dataset,
    *,
    checkpoints: Path,
    callback: DiagnosticsCallback,
    learning_rate: float,
    steps: int,
) -> DPOTrainer:
    """Build a DPO trainer for the model; its reference is a copy of the model as it is now."""
    config = DPOConfig(
        output_dir=str(checkpoints),
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        beta=0.1,
        max_steps=steps,
        per_device_train_batch_size=32,
        logging_steps=1,
        save_strategy="steps",
        save_steps=10,
        save_total_limit=2,
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        seed=0,
    )
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(model),
        args=config,
        train_dataset=preferences,
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(ProgressBarOnly())
    return trainer


def print_what_to_open() -> None:
    """List the files of the broken run that exist, each with what it holds."""
    _announce("What to open", "Start with the report of the broken run, then its other files:")
    present = {_described_name(path) for path in BROKEN_RUN.rglob("*") if path.is_file()}
    known = [name for name in DESCRIPTIONS if name in present]
    for name in [*known, *sorted(present.difference(known))]:
        print(f"  {BROKEN_RUN / name}")
        if name in DESCRIPTIONS:
            print(f"      {DESCRIPTIONS[name]}")
    report = HEALTHY_RUN / "reports" / "run_report.md"
    if report.is_file():
        print(f"\nTo compare, the report of the healthy run:\n  {report}")


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Watch a broken and a healthy DPO run.")
    parser.add_argument(
        "--stop-on",
        choices=("high", "critical"),
        help="stop the broken run at the first insight of this severity or above (default: never)",
    )
    return parser.parse_args(arguments)


def _keep_the_output_readable() -> None:
    datasets.disable_progress_bars()
    # TRL 1.16 still uses these names, which newer versions of transformers have renamed.
    warnings.filterwarnings("ignore", ".*gradient_checkpointing. is deprecated", FutureWarning)
    # Checkpoints less than a second apart make transformers doubt the clock of the file system.
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)


def _announce(title: str, *lines: str) -> None:
    print(f"\n{title}", *lines, "", sep="\n", flush=True)


def _print_answers(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    print("The model answers:")
    for question in QUESTIONS:
        print(f"  {question:<32} {answer(model, tokenizer, question)}")


def _train(trainer: DPOTrainer) -> None:
    trainer.train()
    done, planned = trainer.state.global_step, trainer.args.max_steps
    print(f"\nThe run ended after {done} of {planned} steps.")


def _described_name(path: Path) -> str:
    """Name a file relative to its run; the rule files are named by their folder."""
    name = path.relative_to(BROKEN_RUN).as_posix()
    return "rules/" if name.startswith("rules/") else name


if __name__ == "__main__":
    main()
