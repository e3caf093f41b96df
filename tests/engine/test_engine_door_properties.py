"""The door never raises, lets only finite floats through, and can be passed twice."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.door import admit


class Stranger:
    """An object of a class that no library knows."""


KEYS = st.text(max_size=4) | st.sampled_from(["a", "b", "a/b", "\ud800", "k" * 1001])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**308, max_value=10**320)
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=5)
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "null", "\udfff"])
    | st.binary(max_size=5)
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.dates()
    | st.builds(Stranger)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=20,
)
HASHABLE = st.integers() | st.floats() | st.none() | st.tuples(st.integers(), st.text(max_size=2))
LOGS = st.dictionaries(KEYS | HASHABLE, VALUES, max_size=6)


@given(LOGS)
@settings(max_examples=300, deadline=None)
def test_any_row_is_admitted_and_every_value_is_a_finite_python_float(logs: Any) -> None:
    row = admit(logs)
    assert all(type(value) is float and math.isfinite(value) for value in row.values.values())
    assert all(
        type(value) is float and not math.isfinite(value) for value in row.non_finite.values()
    )
    parts = (row.values, row.non_finite, row.missing, row.texts)
    # No name is in two parts, or the row could not be written down.
    assert len(set().union(*parts)) == sum(map(len, parts))


@given(LOGS)
@settings(max_examples=300, deadline=None)
def test_a_row_written_as_strict_json_is_read_back_as_it_was(logs: Any) -> None:
    row = admit(logs)
    assert admit(row.to_json()) == row
    line = orjson.dumps(row.to_json())
    assert admit(orjson.loads(line)) == row
    assert admit(json.loads(line, parse_constant=_refuse)) == row


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
