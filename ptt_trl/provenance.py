"""What ran where: versions, code, command and configuration of a run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.ptt_trl.masking import MASK, is_secret_name, mask_arguments, mask_text
from post_training_toolkit.rules.model import RuleBundle

_PACKAGES = (
    "post-training-toolkit",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "deepspeed",
    "flash-attn",
    "liger-kernel",
    "numpy",
    "peft",
    "river",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
    "unsloth",
    "vllm",
    "xformers",
)
_GIT_TIME_LIMIT_SECONDS = 5
# What decides how a run is spread over machines and devices, and how fast and exact they compute.
_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "HF_HUB_OFFLINE",
    "HIP_VISIBLE_DEVICES",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "RANK",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_JOB_NUM_NODES",
    "SLURM_NODEID",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "TOKENIZERS_PARALLELISM",
    "TRANSFORMERS_OFFLINE",
    "WORLD_SIZE",
)
_ENVIRONMENT_BEGINS = ("ACCELERATE_", "CUBLAS_", "NCCL_", "PYTORCH_", "TORCH_")


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
    """Return commit, cleanness, branch and remote of the user's checkout; None without one.

    That is the checkout of the current folder, or else that of the script. ``branch`` is None for a
    commit that was checked out by itself.
    """
    script = Path(sys.argv[0]).parent if sys.argv and sys.argv[0] else Path()
    for folder in (Path(), script):
        commit = _git(folder, "rev-parse", "HEAD")
        if commit is not None:
            remote = _git(folder, "config", "--get", "remote.origin.url")
            changes = _git(folder, "status", "--porcelain")
            return {
                "commit": commit,
                # Unknown in a checkout so large that git did not answer in time.
                "uncommitted_changes": None if changes is None else bool(changes),
                "branch": _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD"),
                "remote": mask_text(remote) if remote else None,
            }
    return None


def command() -> list[str]:
    """Return the command line that started this process, without secrets."""
    return mask_arguments(sys.orig_argv)


def environment() -> dict[str, str]:
    """Return those environment variables that are known to matter, and hold no secret."""
    return {
        name: MASK if is_secret_name(name) else mask_text(value)
        for name, value in sorted(os.environ.items())
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_BEGINS)
    }


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the configuration, equal for equal values in any order."""
    text = orjson.dumps(dict(configuration), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def rules_hash(bundle: RuleBundle) -> str:
    """Return the SHA-256 of the texts of all rule files, in loading order."""
    return hashlib.sha256(b"\0".join(source.text for source in bundle.sources)).hexdigest()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - git from the user's own path
            capture_output=True,
            text=True,
            timeout=_GIT_TIME_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
