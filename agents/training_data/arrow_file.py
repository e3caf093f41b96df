"""Writes rows to a data set on disk, so that memory does not grow with their number."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.training_data.features import features_of

if TYPE_CHECKING:
    import datasets

_ROWS_AT_ONCE = 200


def dataset_of(rows: Iterable[JsonObject], rows_are: str) -> datasets.Dataset:
    """Return a data set of rows, which are written as they come.

    Its file lies in the folder for temporary files until the process ends; ``save_to_disk``
    keeps it. (``Dataset.from_generator`` would pickle and hash all episodes first.)
    """
    from datasets import Dataset
    from datasets.arrow_writer import ArrowWriter

    features = features_of(rows_are)
    with tempfile.NamedTemporaryFile(dir=_folder(), suffix=".arrow", delete=False) as file:
        path = file.name
    with ArrowWriter(features=features, path=path, writer_batch_size=_ROWS_AT_ONCE) as writer:
        count = 0
        for row in rows:
            writer.write(features.encode_example(_storable(row)))
            count += 1
        if not count:
            return Dataset.from_dict({name: [] for name in features}, features=features)
        writer.finalize()
    return Dataset.from_file(path)


def _storable(row: JsonObject) -> JsonObject:
    """Return a row that a column of JSON can hold: whole numbers beyond 64 bits become text."""
    try:
        orjson.dumps(row)
    except orjson.JSONEncodeError:
        found: JsonObject = json.loads(json_bytes(row), parse_int=_whole)
        return found
    return row


def _whole(digits: str) -> int | str:
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else digits


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="ptt-training-data-")
    # The cache keeps it until the process ends, when it is removed.
    _folders.append(folder)
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []
