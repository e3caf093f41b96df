"""The notation of series in rule tests: what it means, what it refuses, and its bounds."""

from __future__ import annotations

import re

import pytest

from post_training_toolkit.engine.rule_tests import NOT_LOGGED, SeriesValue, parse_series

INF = float("inf")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.7", [0.7]),
        ("0.7x3", [0.7, 0.7, 0.7]),
        ("0x2", [0.0, 0.0]),
        ("1 2  3", [1.0, 2.0, 3.0]),
        ("3+0.5x3", [3.0, 3.5, 4.0]),
        ("3-0.5x3", [3.0, 2.5, 2.0]),
        ("2~0.5x3", [2.5, 1.5, 2.5]),
        ("-40x2", [-40.0, -40.0]),
        ("-200-1x3", [-200.0, -201.0, -202.0]),
        ("0-0.1x2", [0.0, -0.1]),
        ("1-0.5", [1.0]),
        ("1.0e-6x2", [1e-6, 1e-6]),
        ("1e-6-1e-7x2", [1e-6, 9e-7]),
        (".5 +2", [0.5, 2.0]),
        ("inf -inf infx2", [INF, -INF, INF, INF]),
        ("null nullx2", [None, None, None]),
        ("_ 1 _x2", [NOT_LOGGED, 1.0, NOT_LOGGED, NOT_LOGGED]),
    ],
)
def test_the_notation_of_a_series(text: str, values: list[SeriesValue]) -> None:
    assert parse_series(text) == values


def test_nan_is_written_nan() -> None:
    [first, second] = parse_series("nanx2")
    assert isinstance(first, float)
    assert (first != first, first is second) == (True, True)


@pytest.mark.parametrize(
    "item", ["x3", "1x", "1xx2", "1..2", "NaN", "1,2", "0.7x-3", "2~", "1x2.5"]
)
def test_what_is_no_series_is_refused_with_what_would_be(item: str) -> None:
    with pytest.raises(ValueError, match="is no series; write such as") as caught:
        parse_series(f"1 {item} 2")
    assert str(caught.value).startswith(f"{item!r} is no series")


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_series_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an empty series tests nothing"):
        parse_series(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1x0", "'1x0' gives no value"),
        ("nanx0", "'nanx0' gives no value"),
        ("1x100001", "a series has at most 100,000 values"),
        ("1x60000 _x60000", "a series has at most 100,000 values"),
        ("1x999999999", "a series has at most 100,000 values"),
        ("1e999", "'1e999' leaves the range of numbers"),
        ("1e308+1e308x5", "leaves the range of numbers"),
        ("1x" + "9" * 5000, "is no series"),
        ("\u0661x3", "is no series"),
    ],
)
def test_a_series_has_bounds(text: str, what: str) -> None:
    """Else a line of a test file could ask for all memory there is."""
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        parse_series(text)
    assert len(str(caught.value)) < 200
