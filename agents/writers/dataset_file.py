"""Writes a data set to the kind of file that its name asks for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from post_training_toolkit.agents.json_bytes import json_bytes

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_FILES = (".parquet", ".jsonl", ".json")
_PARTS = ("train", "test")
# What save_to_disk leaves in a folder.
_MARKS = ("dataset_info.json", "dataset_dict.json")


def outputs_of(output: Path, *, split: bool) -> list[Path]:
    """Return the files or the folder that a data set is written to.

    The parts of a split become files with their name behind that of the file: ``pairs.parquet``
    gives ``pairs-train.parquet`` and ``pairs-test.parquet``.
    """
    if not split or output.suffix not in _FILES:
        return [output]
    return [output.with_name(f"{output.stem}-{part}{output.suffix}") for part in _PARTS]


def is_foreign(output: Path) -> bool:
    """Whether a folder holds something else than a data set, so that it must not be replaced."""
    holds_something = output.is_dir() and any(output.iterdir())
    return holds_something and not any((output / mark).exists() for mark in _MARKS)


def write_dataset(dataset: Dataset | DatasetDict, output: Path) -> None:
    """Write a ``.parquet`` or ``.jsonl`` file, or a folder for ``datasets.load_from_disk``.

    What is there is replaced once the new one is whole. A JSON file loses which columns are JSON;
    the others keep it.
    """
    from datasets import DatasetDict

    if isinstance(dataset, DatasetDict) and output.suffix in _FILES:
        for part, path in zip(_PARTS, outputs_of(output, split=True), strict=True):
            write_dataset(dataset[part], path)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.unfinished")
    try:
        _write(dataset, unfinished, output.suffix)
        if output.is_dir():
            shutil.rmtree(output)
        unfinished.replace(output)
    finally:
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        unfinished.unlink(missing_ok=True)


def _write(dataset: Dataset | DatasetDict, path: Path, kind: str) -> None:
    match kind:
        case ".parquet":
            dataset.to_parquet(str(path))
        case ".jsonl" | ".json":
            with path.open("wb") as file:
                file.writelines(json_bytes(row) + b"\n" for row in dataset)
        case _:
            dataset.save_to_disk(str(path))
