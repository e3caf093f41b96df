"""Which model is trained, and what it is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from post_training_toolkit.ptt_trl.training_parts import TrainingParts

# Enough to tell two sets of weights apart, and nothing that a large model would wait for.
_PARAMETERS_LOOKED_AT = 16
_VALUES_OF_EACH = 64


def model_identity(model: torch.nn.Module | None) -> dict[str, Any] | None:
    """Return class, name, revision, fingerprint, size and adapters of a model; None without one.

    ``adapters`` maps the name of each adapter of peft to its kind, such as LORA; it is None for a
    model without peft.
    """
    if model is None:
        return None
    configuration = getattr(model, "config", None)
    trainable = [parameter_count(each) for each in model.parameters() if each.requires_grad]
    return {
        "class": type(model).__name__,
        "name": getattr(configuration, "name_or_path", None) or None,
        "revision": getattr(configuration, "_commit_hash", None),
        "fingerprint": weights_fingerprint(model),
        "parameters": sum(map(parameter_count, model.parameters())),
        "trainable_parameters": sum(trainable),
        "adapters": _adapters(model),
    }


def parameter_count(parameter: torch.nn.Parameter) -> int:
    """Return how many numbers a parameter has, wherever they are.

    DeepSpeed ZeRO-3 leaves an empty one and keeps the count beside it.
    """
    count: int = getattr(parameter, "ds_numel", parameter.numel())
    return count


def reference_identity(parts: TrainingParts) -> dict[str, Any] | None:
    """Return what the policy is compared with: its own model, or this one without its adapter."""
    if parts.reference_model is not None:
        return model_identity(parts.reference_model)
    if not hasattr(parts.trainer, "ref_model") or parts.model is None:
        return None
    adapters = _adapters(parts.model)
    return {"class": "the same model without its adapter"} if adapters else None


def _adapters(model: torch.nn.Module) -> dict[str, str] | None:
    configurations = getattr(model, "peft_config", None)
    if not isinstance(configurations, Mapping):
        return None
    kinds = {name: getattr(each, "peft_type", None) for name, each in configurations.items()}
    return {str(name): str(getattr(kind, "value", kind)) for name, kind in kinds.items()}


def weights_fingerprint(model: torch.nn.Module) -> str | None:
    """Return a hash of names, shapes, types, and some values of a model's parameters.

    Equal weights have equal ones, on any device. Others may have, too: it looks at 64 values of 16
    parameters spread over the model, which any training changes, and at no more. None where this
    process does not hold whole parameters.

    >>> weights_fingerprint(torch.nn.Linear(2, 1)) == weights_fingerprint(torch.nn.Linear(2, 1))
    False
    """
    parameters = list(model.named_parameters())
    if not parameters or any(is_in_parts(each) for _, each in parameters):
        return None
    digest = hashlib.sha256()
    for name, each in parameters:
        digest.update(f"{name} {tuple(each.shape)} {each.dtype}\n".encode())
    for _, each in parameters[:: max(len(parameters) // _PARAMETERS_LOOKED_AT, 1)]:
        values = each.detach().flatten()[:_VALUES_OF_EACH]
        digest.update(values.to("cpu", torch.float32).numpy().tobytes())
    return digest.hexdigest()


def is_in_parts(parameter: torch.Tensor) -> bool:
    """Return whether values are elsewhere: sharded by FSDP or DeepSpeed, or not there yet."""
    sharded = hasattr(parameter, "to_local") or hasattr(parameter, "ds_tensor")
    return sharded or parameter.is_meta
