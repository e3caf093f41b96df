"""Splits a data set so that no prompt is on both sides."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

_PRECISION = 2**64


def split_by_prompt(
    dataset: datasets.Dataset, test_share: float = 0.1, *, seed: int = 0
) -> datasets.DatasetDict:
    """Return ``train`` and ``test``, with all rows of a prompt on one side.

    The side of a prompt depends on the prompt and ``seed`` alone, so that it stays when rows are
    added; but where that leaves a side without any prompt, one is moved there. Shares of few
    prompts are coarse.
    Raises ``ValueError`` for a share outside 0 to 1 and for a data set without ``prompt_key``.
    """
    from datasets import DatasetDict

    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}; expected a number between 0 and 1")
    if "prompt_key" not in dataset.column_names:
        raise ValueError("the data set has no column prompt_key, by which rows belong together")
    keys: list[str] = dataset["prompt_key"][:]
    places = {key: _place(key, seed) for key in set(keys)}
    tested = {key for key, place in places.items() if place < test_share}
    if not tested and len(places) > 1:
        tested = {min(places, key=places.__getitem__)}
    if len(tested) == len(places) > 1:
        tested.remove(max(places, key=places.__getitem__))
    rows: dict[bool, list[int]] = {True: [], False: []}
    for number, key in enumerate(keys):
        rows[key in tested].append(number)
    return DatasetDict({"train": dataset.select(rows[False]), "test": dataset.select(rows[True])})


def _place(key: str, seed: int) -> float:
    """Return where between 0 and 1 a prompt lies."""
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _PRECISION
