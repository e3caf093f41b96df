"""Tells whether weights are worth saving."""

from __future__ import annotations

import torch


def weights_are_finite(model: torch.nn.Module) -> bool:
    """Return whether every parameter, as far as this process holds it, has finite numbers only."""
    return all(bool(torch.isfinite(_held(each)).all()) for each in model.parameters())


def _held(parameter: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a parameter; asking for more would wait for the others.

    DeepSpeed ZeRO-3 leaves an empty parameter and keeps the shard beside it.
    """
    to_local = getattr(parameter, "to_local", None)  # a DTensor of FSDP
    held: torch.Tensor = to_local() if to_local else getattr(parameter, "ds_tensor", parameter)
    return held
