"""What ran where: versions, code, machine and model of a run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
import torch

from post_training_toolkit.ptt_trl.training_parts import TrainingParts
from post_training_toolkit.rules.model import RuleBundle

_PACKAGES = (
    "post-training-toolkit",
    "accelerate",
    "datasets",
    "numpy",
    "peft",
    "river",
    "torch",
    "transformers",
    "trl",
)
_GIT_TIME_LIMIT_SECONDS = 5


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that matter to a run, where installed."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def git_state() -> dict[str, Any] | None:
    """Return commit and cleanness of the checkout in the current folder; None outside of one."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "uncommitted_changes": bool(_git("status", "--porcelain"))}


def hardware() -> dict[str, Any]:
    """Return the machine's processor count and accelerators."""
    cuda = torch.cuda
    return {
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "accelerators": [cuda.get_device_name(index) for index in range(cuda.device_count())],
    }


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the configuration, equal for equal values in any order."""
    text = orjson.dumps(dict(configuration), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def rules_hash(bundle: RuleBundle) -> str:
    """Return the SHA-256 of the texts of all rule files, in loading order."""
    return hashlib.sha256(b"\0".join(source.text for source in bundle.sources)).hexdigest()


def model_identity(model: torch.nn.Module | None) -> dict[str, Any] | None:
    """Return class, name, size and adapters of a model; None without one.

    ``adapters`` maps the name of each adapter of peft to its kind, such as LORA; it is None for a
    model without peft.
    """
    if model is None:
        return None
    trainable = [parameter_count(each) for each in model.parameters() if each.requires_grad]
    return {
        "class": type(model).__name__,
        "name": getattr(getattr(model, "config", None), "name_or_path", None) or None,
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


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - git from the user's own path
            capture_output=True,
            text=True,
            timeout=_GIT_TIME_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
