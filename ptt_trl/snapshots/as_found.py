"""Lets a model that is being trained generate, and leaves it as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch.distributed.fsdp import FullyShardedDataParallel
from transformers import GenerationConfig

from post_training_toolkit.ptt_trl.model_identity import is_in_parts
from post_training_toolkit.ptt_trl.preflight.randomness import untouched_randomness


class CannotGenerateError(TypeError):
    """A model that gives scores or classes, not text."""


@contextmanager
def as_found(model: torch.nn.Module) -> Iterator[Any]:
    """Give the model that generates inside of what is trained, switched to evaluation.

    Afterwards the mode of every module, its settings of generation and all global generators of
    random numbers are as before; no gradient is recorded. Dropout and gradient checkpointing are
    off in between, since both look at the mode. Raises ``CannotGenerateError``.
    """
    generating = find_generating(model)
    modes = [(module, module.training) for module in generating.modules()]
    holder = _holder_of_settings(generating)
    settings = holder.generation_config
    with untouched_randomness(), torch.no_grad(), _gathered(generating):
        try:
            for module, _ in modes:
                # Not eval(): what some classes do in it, such as merging weights, has no way back.
                module.training = False
            # A repetition penalty, say, that a model brings along would hide what it has become.
            ends = settings.eos_token_id
            holder.generation_config = GenerationConfig(eos_token_id=ends)  # type: ignore[no-untyped-call]
            yield generating
        finally:
            holder.generation_config = settings
            for module, training in modes:
                module.training = training


def find_generating(model: torch.nn.Module) -> Any:
    """Return the model that generates, out of what wraps it; raises ``CannotGenerateError``."""
    found = extract_model_from_parallel(model, keep_fp32_wrapper=True, keep_torch_compile=False)
    # TRL's PPOTrainer trains policy and value model as one.
    found = getattr(found, "policy", found)
    can_generate = getattr(found, "can_generate", None)
    if can_generate is None or not can_generate():
        raise CannotGenerateError(f"{type(found).__name__} does not generate text")
    if found.config.is_encoder_decoder:
        raise CannotGenerateError(f"{type(found).__name__} reads prompts by an encoder of its own")
    return found


def is_sharded(model: torch.nn.Module) -> bool:
    """Return whether this process holds only a part of the weights, by FSDP or DeepSpeed ZeRO-3."""
    return isinstance(model, FullyShardedDataParallel) or any(map(is_in_parts, model.parameters()))


def _holder_of_settings(model: Any) -> Any:
    """Return the module that owns the settings of generation; peft shows those of its base."""
    base = getattr(model, "get_base_model", None)
    return model if base is None else base()


def _gathered(model: torch.nn.Module) -> Any:
    """Have the outermost weights at hand where FSDP keeps them in parts outside of forward."""
    if isinstance(model, FullyShardedDataParallel):
        return FullyShardedDataParallel.summon_full_params(model, recurse=False, writeback=False)
    return nullcontext()
