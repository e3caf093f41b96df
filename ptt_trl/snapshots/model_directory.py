"""Loads a model to be asked: a checkpoint, a model directory, or an adapter of peft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

_CONFIG = "config.json"
_ADAPTER = "adapter_config.json"
# What torch, safetensors and transformers raise for files that are torn or of another kind.
_LOADING_ERRORS = (
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    UnpicklingError,
    ValueError,
)
_TOKENIZERS = ("tokenizer_config.json", "tokenizer.json", "vocab.json", "tokenizer.model")


class ModelDirectoryError(ValueError):
    """A directory without a model that can be asked; the message says what is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model that writes text, in evaluation, and its tokenizer."""

    model: Any
    tokenizer: PreTrainedTokenizerBase


def is_model_directory(path: Path) -> bool:
    """Return whether a folder holds a model or an adapter."""
    return (path / _CONFIG).exists() or (path / _ADAPTER).exists()


def load_model(path: Path, device: str | None = None) -> LoadedModel:
    """Load what a folder holds onto a device, by default the accelerator if there is one.

    The tokenizer of a checkpoint without one is looked for in the folder above. Raises
    ``ModelDirectoryError``.
    """
    if not is_model_directory(path):
        message = f"no model here: neither {_CONFIG} nor {_ADAPTER} is in this folder"
        raise ModelDirectoryError(f"{path}: {message}")
    try:
        with _quietly():
            tokenizer = AutoTokenizer.from_pretrained(_tokenizer_folder(path))
            model = (
                _load_adapter(path) if (path / _ADAPTER).exists() else _load_whole(str(path), path)
            )
            model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except _LOADING_ERRORS as error:
        if isinstance(error, ModelDirectoryError):
            raise
        # Libraries tell at length; their first line says what it is.
        reason = str(error).strip().split("\n", 1)[0]
        raise ModelDirectoryError(f"{path}: this model cannot be loaded: {reason}") from error
    model.eval()
    return LoadedModel(model, tokenizer)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers from telling at length what is told here in a sentence."""
    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _load_whole(name: str, path: Path) -> Any:
    """Load all weights, of which none may be missing: they would be drawn at random."""
    # With this option it returns two things, which its annotation does not say.
    loaded: Any = AutoModelForCausalLM.from_pretrained(name, dtype="auto", output_loading_info=True)
    model, found = loaded
    missing = sorted(found["missing_keys"])
    if missing:
        kind = " or ".join(model.config.architectures or ["unknown"])
        message = f"{len(missing)} weights are missing, such as {missing[0]}; it is a {kind}"
        raise ModelDirectoryError(f"{path}: this is no language model: {message}")
    return model


def _load_adapter(path: Path) -> Any:
    try:
        from peft import PeftModel
    except ModuleNotFoundError:
        raise ModelDirectoryError(
            f"{path}: this is an adapter, which needs peft; run: pip install peft"
        ) from None
    content = json.loads((path / _ADAPTER).read_text(encoding="utf-8"))
    base = content.get("base_model_name_or_path")
    if not base:
        raise ModelDirectoryError(
            f"{path}: {_ADAPTER} does not say which model the adapter belongs to; "
            "merge it into its model, and name that folder"
        )
    return PeftModel.from_pretrained(_load_whole(base, path), str(path))


def _tokenizer_folder(path: Path) -> Path:
    for folder in (path, path.parent):
        if any((folder / name).exists() for name in _TOKENIZERS):
            return folder
    raise ModelDirectoryError(
        f"{path}: there is no tokenizer, nor in the folder above; copy tokenizer.json and "
        "tokenizer_config.json of the model there"
    )
