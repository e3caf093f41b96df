"""Tells whether two datasets are the same without reading them through."""

from __future__ import annotations

import hashlib
from collections.abc import Sized
from typing import Any

import datasets

_ROWS_LOOKED_AT = 16


def data_identity(dataset: object) -> dict[str, Any] | None:
    """Return class, name, size, columns and hashes of a dataset; None without one.

    The name is the one under which ``datasets`` loaded it, with configuration and split.

    ``sample_sha256`` is of the content of 16 rows spread evenly over it, None for what is no
    ``datasets.Dataset``: reading others may draw random numbers. ``fingerprint`` is that of
    ``datasets``; it may change without the content, when a function that was mapped over it cannot
    be hashed.

    >>> rows = datasets.Dataset.from_dict({"text": ["a", "b"]})
    >>> identity = data_identity(rows)
    >>> identity["class"], identity["rows"], identity["columns"]
    ('Dataset', 2, ['text'])
    """
    if dataset is None:
        return None
    rows = len(dataset) if isinstance(dataset, Sized) else None
    identity = {"class": type(dataset).__name__, "name": _name(dataset), "rows": rows}
    if not isinstance(dataset, datasets.Dataset):
        return {**identity, "columns": None, "fingerprint": None, "sample_sha256": None}
    return {
        **identity,
        "columns": dataset.column_names,
        "fingerprint": dataset._fingerprint,
        "sample_sha256": _sample_hash(dataset),
    }


def _name(dataset: object) -> str | None:
    info = getattr(dataset, "info", None)
    parts = [getattr(info, each, None) for each in ("dataset_name", "config_name")]
    named = [*(str(each) for each in parts if each), *_split(dataset)]
    return "/".join(named) or None


def _split(dataset: object) -> list[str]:
    split = getattr(dataset, "split", None)
    return [] if split is None else [str(split)]


def _sample_hash(dataset: datasets.Dataset) -> str:
    stride = max(len(dataset) // _ROWS_LOOKED_AT, 1)
    # Without its format, since a transform may be random.
    rows = dataset.with_format(None).select(range(0, len(dataset), stride))
    return hashlib.sha256(repr(rows.to_list()).encode()).hexdigest()
