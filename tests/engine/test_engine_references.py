"""What relative thresholds divide by: the early level and the best so far."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from post_training_toolkit.engine.statistics.baseline import Baseline
from post_training_toolkit.engine.statistics.running_best import RunningBest

finite_lists = st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("size", "stream", "levels"),
    [
        (1, [3.0, 9.0], [3.0, 3.0]),
        (2, [1.0, 2.0, 50.0], [None, 1.5, 1.5]),
        (3, [1.0, 1e30, 2.0, 0.0, 0.0, 0.0], [None, None, 2.0, 2.0, 2.0, 2.0]),
    ],
)
def test_a_baseline_is_the_median_of_the_first_observations_and_never_moves(
    size: int, stream: list[float], levels: list[float | None]
) -> None:
    baseline = Baseline(size)
    assert baseline.get() is None
    found = []
    for x in stream:
        baseline.update(x)
        found.append(baseline.get())
    assert found == levels


@given(finite_lists, finite_lists)
def test_a_baseline_depends_on_its_first_observations_only(
    early: list[float], late: list[float]
) -> None:
    baseline = Baseline(len(early))
    for x in [*early, *late]:
        baseline.update(x)
    assert baseline.get() == statistics.median(early)


@given(finite_lists)
def test_the_best_is_the_highest_or_the_lowest_so_far(stream: list[float]) -> None:
    highest, lowest = RunningBest(highest=True), RunningBest(highest=False)
    assert highest.get() is lowest.get() is None
    for end, x in enumerate(stream, start=1):
        highest.update(x)
        lowest.update(x)
        assert highest.get() == max(stream[:end])
        assert lowest.get() == min(stream[:end])
