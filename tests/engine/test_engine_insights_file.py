"""insights.jsonl holds events as strict JSON and is read back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.schemas import load_schema

texts = st.text(max_size=6)
tuples = st.lists(texts, max_size=3).map(tuple)
steps = st.integers(0, 2**53)
severities = st.sampled_from(list(Severity))
# NaN equals nothing, so that it has a test of its own.
numbers = st.none() | st.floats(allow_nan=False)
evidence = st.dictionaries(
    texts,
    st.lists(
        st.tuples(steps, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=3
    ).map(tuple),
    max_size=3,
)
fired = st.builds(
    InsightFired,
    insight=texts,
    rule=texts,
    title=texts,
    severity=severities,
    step=steps,
    first_step=steps,
    last_sound_step=steps,
    metric=texts,
    value=numbers,
    reference=numbers,
    ratio=numbers,
    difference=numbers,
    threshold=texts,
    message=texts,
    remediation=tuples,
    citations=tuples,
    threshold_origin=st.sampled_from(["paper", "documentation", "derivation", "empirical"]),
    detects=tuples,
    evidence=evidence,
)
closed = st.builds(
    InsightClosed,
    insight=texts,
    rule=texts,
    severity=severities,
    step=steps,
    first_step=steps,
    last_step=steps,
    observations=st.integers(1, 100),
    worst=numbers,
    resolved=st.booleans(),
)

FIRED = InsightFired(
    insight="a#1",
    rule="a",
    title="A title",
    severity=Severity.HIGH,
    step=5,
    first_step=4,
    last_sound_step=3,
    metric="x",
    value=float("nan"),
    reference=None,
    ratio=float("-inf"),
    difference=None,
    threshold="above 1",
    message="a message",
    caused_by=None,
    remediation=("do this",),
    citations=(),
    threshold_origin="empirical",
    detects=("loss_spike",),
    evidence={"x": ((4, 1.5), (5, 2.0))},
)
CLOSED = InsightClosed("a#1", "a", Severity.HIGH, 9, 4, 8, 5, float("inf"), resolved=True)


def strictly(line: bytes) -> Any:
    """Parse a line of JSON as a parser does that knows no NaN."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    return json.loads(line, parse_constant=refuse)


def test_the_lines_of_an_episode() -> None:
    assert insight_line(FIRED).decode() == (
        '{"event":"fired","insight":"a#1","rule":"a","title":"A title","severity":"high","step":5,'
        '"first_step":4,"last_sound_step":3,"metric":"x","value":"NaN","reference":null,'
        '"ratio":"-Infinity","difference":null,"threshold":"above 1","message":"a message",'
        '"caused_by":null,"remediation":["do this"],"citations":[],'
        '"threshold_origin":"empirical","detects":["loss_spike"],'
        '"evidence":{"x":[[4,1.5],[5,2.0]]}}\n'
    )
    assert insight_line(CLOSED).decode() == (
        '{"event":"resolved","insight":"a#1","rule":"a","severity":"high","step":9,"first_step":4,'
        '"last_step":8,"observations":5,"worst":"Infinity"}\n'
    )


@given(st.lists(fired | closed, max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_strict_json_fits_the_schema_and_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    lines = [insight_line(event) for event in events]
    for line in lines:
        assert line.count(b"\n") == 1
        jsonschema.validate(strictly(line), load_schema("insights_line"))
    path = tmp_path_factory.getbasetemp() / "insights.jsonl"
    path.write_bytes(b"".join(lines))
    assert list(read_insights(path)) == events


def test_numbers_that_are_not_finite_are_read_back_and_written_again_alike(tmp_path: Path) -> None:
    path = tmp_path / "insights.jsonl"
    path.write_bytes(insight_line(FIRED) + insight_line(CLOSED))
    again = list(read_insights(path))
    assert b"".join(map(insight_line, again)) == path.read_bytes()
    assert again[1] == CLOSED


def test_a_torn_last_line_ends_the_file(tmp_path: Path) -> None:
    path = tmp_path / "insights.jsonl"
    whole = insight_line(CLOSED)
    for end in range(1, len(whole)):
        path.write_bytes(whole + whole[:end])
        assert list(read_insights(path)) == [CLOSED]
