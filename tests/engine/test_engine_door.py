"""Whatever a trainer logs comes through the door as finite floats and named signals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from post_training_toolkit.engine.door import Row, admit

NAN, INF = math.nan, math.inf


class Hostile:
    """Raises what nobody expects wherever it is touched."""

    def __float__(self) -> float:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise KeyError


def _kinds(row: Row) -> dict[str, object]:
    """Show a row of the one key "x" by the kind it came out as."""
    return {
        **{f"value {key}": value for key, value in row.values.items()},
        **{f"non-finite {key}": str(value) for key, value in row.non_finite.items()},
        **{f"missing {key}": None for key in row.missing},
        **{f"text {key}": text for key, text in row.texts.items()},
    }


@pytest.mark.parametrize(
    ("logged", "number"),
    [
        (0.5, 0.5),
        (-0.0, 0.0),
        (5e-324, 5e-324),
        (3, 3.0),
        pytest.param(10**300, 1e300, id="large"),
        (True, 1.0),
        (False, 0.0),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 8), 0.125),
        (np.float64(0.5), 0.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.float16(0.5), 0.5),
        (np.int8(-3), -3.0),
        (np.bool_(True), 1.0),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (torch.tensor(0.1), 0.10000000149011612),
        (torch.tensor(0.1, dtype=torch.bfloat16), 0.10009765625),
        (torch.tensor(7), 7.0),
        (torch.tensor(True), 1.0),
        (torch.tensor([[2.5]]), 2.5),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (torch.nn.Parameter(torch.tensor([1.5])), 1.5),
    ],
)
def test_a_single_finite_number_of_any_library_is_a_value(logged: object, number: float) -> None:
    row = admit({"x": logged})
    assert _kinds(row) == {"value x": number}
    # The statistics are plain Python, and a numpy float would turn all of their state into numpy.
    assert type(row.values["x"]) is float


@pytest.mark.parametrize(
    ("logged", "word"),
    [
        (NAN, "nan"),
        (-INF, "-inf"),
        ("NaN", "nan"),
        ("Infinity", "inf"),
        ("-Infinity", "-inf"),
        pytest.param(10**400, "inf", id="huge"),
        pytest.param(-(10**400), "-inf", id="-huge"),
        (Decimal("1e400"), "inf"),
        (Decimal("NaN"), "nan"),
        (np.float32("nan"), "nan"),
        (np.array(-np.inf), "-inf"),
        (torch.tensor(INF), "inf"),
        (torch.tensor(NAN, dtype=torch.bfloat16, requires_grad=True), "nan"),
    ],
)
def test_what_is_not_finite_is_a_signal_and_no_value(logged: object, word: str) -> None:
    assert _kinds(admit({"x": logged})) == {"non-finite x": word}


def test_none_is_a_signal_of_its_own() -> None:
    assert _kinds(admit({"x": None})) == {"missing x": None}


@pytest.mark.parametrize(
    ("logged", "text"),
    [
        ("a note", "a note"),
        ("0.5", "0.5"),
        ("nan", "nan"),
        ("", ""),
        ("\ud800 alone", "? alone"),
        pytest.param("é" * 2000, "é" * 1000, id="long"),
        (b"12", "<bytes>"),
        (bytearray(b"12"), "<bytearray>"),
        ([1.0, 2.0], "[1.0,2.0]"),
        ((), "[]"),
        (1 + 2j, "<complex>"),
        (np.complex64(1 + 2j), "<complex64>"),
        (np.array([1.0, 2.0]), "<ndarray>"),
        (np.array(["a", "b"]), "<ndarray>"),
        (torch.tensor([1.0, 2.0]), "<Tensor>"),
        (torch.empty((), device="meta"), "<Tensor>"),
        (Decimal("sNaN"), "<Decimal>"),
        (Hostile(), "<Hostile>"),
        ([10**5000], "<list>"),
    ],
)
def test_what_is_no_single_number_is_kept_as_text(logged: object, text: str) -> None:
    assert _kinds(admit({"x": logged})) == {"text x": text}


def test_nested_mappings_become_keys_with_slashes() -> None:
    row = admit({"rewards": {"format": {"mean": 1, "std": NAN}, "note": "x"}, "empty": {}})
    assert _kinds(row) == {
        "value rewards/format/mean": 1.0,
        "non-finite rewards/format/std": "nan",
        "text rewards/note": "x",
    }


def test_nesting_without_end_becomes_text_below_the_sixth_level() -> None:
    endless: dict[str, Any] = {}
    endless["k"] = endless
    assert _kinds(admit(endless)) == {"text k/k/k/k/k/k": "<dict>"}


def test_nesting_too_deep_to_print_is_no_failure() -> None:
    lists: list[Any] = []
    mappings: dict[str, Any] = {}
    for _ in range(100_000):
        lists, mappings = [lists], {"k": mappings}
    assert _kinds(admit({"x": lists})) == {"text x": "<list>"}
    assert _kinds(admit(mappings)) == {"text k/k/k/k/k/k": "<dict>"}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (1, "1"),
        (None, "null"),
        (("a", 1), '["a",1]'),
        (b"x", "<bytes>"),
        ("\udfff", "?"),
        pytest.param("k" * 1500, "k" * 1000, id="long"),
        ((10**5000,), "<tuple>"),
    ],
)
def test_a_key_of_any_kind_becomes_text(key: object, name: str) -> None:
    assert _kinds(admit({key: 1})) == {f"value {name}": 1.0}


@pytest.mark.parametrize(
    ("logs", "kinds"),
    [
        ({"a/b": 1, "a": {"b": "late"}}, {"text a/b": "late"}),
        ({"a": {"b": "early"}, "a/b": 1}, {"value a/b": 1.0}),
        ({1: None, "1": NAN}, {"non-finite 1": "nan"}),
    ],
)
def test_two_keys_of_one_name_are_one_key_with_the_last_value(
    logs: Mapping[Any, Any], kinds: dict[str, object]
) -> None:
    assert _kinds(admit(logs)) == kinds
