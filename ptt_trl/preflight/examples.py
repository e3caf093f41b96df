"""Measures the examples of a run as they lie in its data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from statistics import median
from typing import Any

import datasets

from post_training_toolkit.ptt_trl.training_parts import TrainingParts

Example = Mapping[str, Any]

_ROWS_LOOKED_AT = 32
_LABELS_LOOKED_AT = 10_000
# Columns of token ids: the two sides of a pair, and what makes up one example.
_PAIRS = (("chosen_ids", "rejected_ids"), ("chosen_input_ids", "rejected_input_ids"))
_WHOLE_EXAMPLES = (
    ("prompt_ids", "chosen_ids"),
    ("prompt_ids", "completion_ids"),
    ("chosen_ids",),
    ("input_ids",),
)
# Columns in which people keep what a good completion looks like.
_REFERENCES = ("completion", "solution", "answer", "response", "output", "target", "ground_truth")


def sample_rows(dataset: object) -> list[Example]:
    """Return up to 32 examples spread over the data set; none of a stream."""
    if not isinstance(dataset, Sized) or not hasattr(dataset, "__getitem__"):
        return []
    stride = max(len(dataset) // _ROWS_LOOKED_AT, 1)
    return [dataset[index] for index in range(0, len(dataset), stride)][:_ROWS_LOOKED_AT]


def example_metrics(
    configuration: Mapping[str, Any], parts: TrainingParts, rows: Sequence[Example]
) -> dict[str, float]:
    """Return shares of examples with something amiss, and what is known of their lengths."""
    metrics: dict[str, float] = {}
    if not rows or not isinstance(rows[0], Mapping):
        return metrics
    for chosen, rejected in _PAIRS:
        if chosen in rows[0] and rejected in rows[0]:
            equal = sum(list(row[chosen]) == list(row[rejected]) for row in rows)
            metrics["equal_pairs"] = equal / len(rows)
    limit = configuration.get("max_length")
    columns = next((each for each in _WHOLE_EXAMPLES if each[0] in rows[0]), None)
    if isinstance(limit, int) and columns is not None and set(columns) <= set(rows[0]):
        lengths = [sum(len(row[column]) for column in columns) for row in rows]
        metrics["at_max_length"] = sum(length >= limit for length in lengths) / len(rows)
    metrics |= _reference_length(parts, rows)
    metrics |= _weight_ratio(configuration, parts.train_dataset)
    return metrics


def _reference_length(parts: TrainingParts, rows: Sequence[Example]) -> dict[str, float]:
    """Return the median number of tokens of the reference answers, where a column has them."""
    column = next((name for name in _REFERENCES if isinstance(rows[0].get(name), str)), None)
    tokenizer = parts.processing_class
    # What is already tokenized for the training is measured as examples.
    if column is None or not callable(tokenizer) or "input_ids" in rows[0]:
        return {}
    texts = [row[column] for row in rows if isinstance(row[column], str)]
    # One by one: a batch would start the tokenizer's threads, which do not survive a fork.
    lengths = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    return {"reference_tokens": median(lengths)}


def _weight_ratio(configuration: Mapping[str, Any], dataset: object) -> dict[str, float]:
    """Return the weight of desirable examples over that of undesirable ones, for KTO."""
    desired, undesired = (
        configuration.get(f"{kind}_weight") for kind in ("desirable", "undesirable")
    )
    if not isinstance(desired, int | float) or not isinstance(undesired, int | float):
        return {}
    if not isinstance(dataset, datasets.Dataset) or "label" not in dataset.column_names:
        return {}
    stride = max(len(dataset) // _LABELS_LOOKED_AT, 1)
    labels = dataset.with_format(None).select(range(0, len(dataset), stride))["label"]
    desirable = sum(map(bool, labels))
    undesirable = len(labels) - desirable
    if not undesirable or not undesired:
        return {}
    return {"class_weight_ratio": desired * desirable / (undesired * undesirable)}
