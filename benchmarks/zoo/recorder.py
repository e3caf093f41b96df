"""Writes what a trainer logs as a compressed labelled run."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
import yaml
from specification import RunSpecification
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_DEFAULTS = (
    "max_steps",
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "max_grad_norm",
    "logging_steps",
    "logging_nan_inf_filter",
    "seed",
    "beta",
    "loss_type",
    "label_smoothing",
    "max_length",
    "desirable_weight",
    "undesirable_weight",
    "cpo_alpha",
    "simpo_gamma",
    "num_generations",
    "num_iterations",
    "steps_per_generation",
    "max_completion_length",
    "temperature",
    "epsilon",
    "epsilon_high",
    "scale_rewards",
    "num_ppo_epochs",
    "num_mini_batches",
    "kl_coef",
    "vf_coef",
    "cliprange",
    "cliprange_value",
    "gamma",
    "lam",
    "response_length",
    "missing_eos_penalty",
    "total_episodes",
)


class Recorder(TrainerCallback):
    """Keeps every row as the trainer logged it; ``write`` puts them into a file."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note how many steps are planned."""
        self._lines.append({"event": "train_begin", "step": 0, "max_steps": state.max_steps})

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep one row."""
        row = {"step": state.global_step, "epoch": state.epoch, "logs": dict(logs or {})}
        self._lines.append(row)

    def end(self, step: int, error: BaseException | None) -> None:
        """Note how the training ended."""
        if error is None:
            self._lines.append({"event": "train_end", "step": step})
        else:
            text = f"{type(error).__name__}: {error}"
            self._lines.append({"event": "exception", "step": step, "error": text})

    def write(
        self, folder: Path, specification: RunSpecification, args: TrainingArguments, ended: str
    ) -> None:
        """Write log.jsonl.gz and run.yaml; the same rows give the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, default=_number) + "\n" for line in self._lines)
        # No time of day in the header.
        (folder / "log.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        labels = _labels(specification, _hyperparameters(specification, args), ended)
        (folder / "run.yaml").write_text(yaml.safe_dump(labels, sort_keys=False, width=120))


def _number(value: Any) -> float:
    """Return a tensor or numpy scalar as JSON takes it."""
    return float(value)


def _hyperparameters(specification: RunSpecification, args: TrainingArguments) -> dict[str, Any]:
    """Return what the run was given and the defaults that rules look at."""
    resolved = args.to_dict()  # type: ignore[no-untyped-call]
    names = [*specification.arguments, *(name for name in _DEFAULTS if name in resolved)]
    return {name: resolved[name] for name in dict.fromkeys(names)}


def _labels(
    specification: RunSpecification, hyperparameters: dict[str, Any], ended: str
) -> dict[str, Any]:
    fault = specification.fault
    return {
        "trainer": specification.trainer,
        "trl": trl.__version__,
        "transformers": transformers.__version__,
        "torch": str(torch.__version__),
        "hyperparameters": hyperparameters,
        "fault": fault.name if fault else None,
        "description": specification.description,
        "onset_step": specification.onset_step if fault else None,
        "expected": list(specification.expected),
        "match": specification.match,
        "acceptable": list(specification.acceptable),
        "ended": ended,
    }
