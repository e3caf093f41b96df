"""Writes a data set to the kind of file that its name asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from datasets import DatasetDict

if TYPE_CHECKING:
    from datasets import Dataset


def write_dataset(dataset: Dataset | DatasetDict, output: Path) -> None:
    """Write a ``.parquet`` or ``.jsonl`` file, or a folder for ``datasets.load_from_disk``.

    The parts of a split become files with their name behind that of the file: ``pairs.parquet``
    gives ``pairs-train.parquet`` and ``pairs-test.parquet``. A JSON file loses which columns are
    JSON; the others keep it.
    """
    if isinstance(dataset, DatasetDict) and output.suffix in (".parquet", ".jsonl", ".json"):
        for name, part in dataset.items():
            write_dataset(part, output.with_name(f"{output.stem}-{name}{output.suffix}"))
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    match output.suffix:
        case ".parquet":
            dataset.to_parquet(str(output))
        case ".jsonl" | ".json":
            with output.open("wb") as file:
                for row in dataset:
                    file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        case _:
            dataset.save_to_disk(str(output))
