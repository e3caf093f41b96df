"""Measures model and configuration before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from post_training_toolkit.ptt_trl.model_identity import parameter_count
from post_training_toolkit.ptt_trl.preflight.tokens import end_tokens
from post_training_toolkit.ptt_trl.training_parts import TrainingParts

# What trainers call the most tokens of a completion.
_COMPLETION_CAPS = ("max_completion_length", "max_new_tokens", "response_length")


def setup_metrics(configuration: Mapping[str, Any], parts: TrainingParts) -> dict[str, float]:
    """Return counts of parameters, the learning rate, beta and the like, as far as they exist."""
    metrics: dict[str, float] = {}
    if parts.model is not None:
        metrics |= _model_metrics(parts.model, parts.reference_model)
        # Adapters take about ten times the rate of all weights.
        adapted = getattr(parts.model, "peft_config", None) is not None
        rate = "adapter_learning_rate" if adapted else "learning_rate"
        metrics |= _number(rate, configuration.get("learning_rate"))
    metrics |= _number("beta", configuration.get("beta"))
    caps = (configuration[name] for name in _COMPLETION_CAPS if name in configuration)
    metrics |= _number("completion_cap", next(caps, None))
    padding = getattr(parts.processing_class, "pad_token_id", None)
    if padding is not None:
        metrics["pad_is_eos"] = float(padding in end_tokens(parts.model, parts.processing_class))
    return metrics


def _model_metrics(model: torch.nn.Module, reference: torch.nn.Module | None) -> dict[str, float]:
    metrics: dict[str, float] = {
        "parameters": sum(map(parameter_count, model.parameters())),
        "trainable_parameters": sum(
            parameter_count(each) for each in model.parameters() if each.requires_grad
        ),
    }
    if reference is not None:
        own = {each.data_ptr() for each in model.parameters() if each.requires_grad}
        theirs = {each.data_ptr() for each in reference.parameters()}
        # Sharded weights have no place of their own.
        metrics["shared_with_reference"] = float(bool((own & theirs) - {0}))
    return metrics


def _number(name: str, value: object) -> dict[str, float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {name: float(value)}
    return {}
