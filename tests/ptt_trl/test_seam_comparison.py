"""A curve that goes on where it was is left alone; one that does not is named."""

from __future__ import annotations

import random
from typing import Any

import datasets
import pytest

from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.ptt_trl.data_identity import data_identity
from post_training_toolkit.ptt_trl.seam_comparison import SeamComparison


def rows(metric: str, values: list[float]) -> list[Row]:
    return [admit({metric: value}) for value in values]


def compared(metric: str, before: list[float], after: list[float]) -> dict[str, Any]:
    comparison = SeamComparison(rows(metric, before))
    for row in rows(metric, after):
        assert not comparison.complete
        comparison.add(row)
    assert comparison.complete
    [curve] = comparison.curves()
    return curve


def noisy(level: float, count: int, seed: int) -> list[float]:
    source = random.Random(seed)
    return [level * (1 + source.gauss(0, 0.1)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(50))
def test_noise_is_no_jump(seed: int) -> None:
    curve = compared("loss", noisy(2.0, 20, seed), noisy(2.0, 5, seed + 1000))
    assert not curve["jumped"]


@pytest.mark.parametrize("seed", range(50))
def test_weights_that_were_not_loaded_show(seed: int) -> None:
    # Case 34: the loss is back where it was at the start of the first run.
    curve = compared("loss", noisy(0.4, 20, seed), noisy(2.0, 5, seed + 1000))
    assert curve["jumped"]
    assert curve["before"] < 1 < curve["after"]


def test_a_learning_rate_schedule_that_starts_anew_shows() -> None:
    decayed = [1e-5 * (1 - step / 100) for step in range(50, 70)]
    fresh = [1e-5 * (1 - step / 100) for step in range(5)]
    assert compared("learning_rate", decayed, fresh)["jumped"]
    goes_on = [1e-5 * (1 - step / 100) for step in range(70, 75)]
    assert not compared("learning_rate", decayed, goes_on)["jumped"]


def test_a_flat_curve_may_stay_flat_but_not_move() -> None:
    assert not compared("reward", [1.0] * 20, [1.0] * 5)["jumped"]
    assert compared("reward", [1.0] * 20, [2.0] * 5)["jumped"]


def test_too_little_before_the_resume_compares_nothing() -> None:
    comparison = SeamComparison(rows("loss", [1.0] * 4))
    assert comparison.complete
    assert comparison.curves() == []


def test_another_order_or_another_row_is_another_dataset() -> None:
    texts = [f"text {number}" for number in range(100)]
    one = data_identity(datasets.Dataset.from_dict({"text": texts}))
    same = data_identity(datasets.Dataset.from_dict({"text": list(texts)}))
    turned = data_identity(datasets.Dataset.from_dict({"text": texts[::-1]}))
    assert one is not None
    assert same is not None
    assert turned is not None
    assert one["sample_sha256"] == same["sample_sha256"] != turned["sample_sha256"]
    assert data_identity(range(3)) == {
        "class": "range",
        "name": None,
        "rows": 3,
        "columns": None,
        "fingerprint": None,
        "sample_sha256": None,
    }
    assert data_identity(None) is None
