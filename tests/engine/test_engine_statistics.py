"""Every registered statistic is what its window says, and nothing of what has left it."""

from __future__ import annotations

import copy
import math
import pickle
import random
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.statistics.registry import STATISTICS
from post_training_toolkit.schemas import load_schema

Oracle = Callable[[Sequence[float], float], float | None]


def _zscore(before: Sequence[float], newest: float) -> float | None:
    lower, median, upper = map(float, np.quantile(before, [0.25, 0.5, 0.75]))
    return (newest - median) / (upper - lower) * 1.3489795003921634 if upper > lower else None


# A statistic by its plain definition, from the window and the newest value. A statistic that is
# registered without an entry here fails the tests. The z-score's window ends before its newest.
ORACLES: dict[str, Oracle] = {
    "last": lambda window, newest: newest,
    "mean": lambda window, newest: statistics.fmean(window),
    "median": lambda window, newest: float(np.quantile(window, 0.5)),
    "std": lambda window, newest: statistics.stdev(window) if len(window) > 1 else None,
    "zscore": _zscore,
}
# How many observations beside its window a statistic looks at.
EXTRA = {"zscore": 1}

_random = random.Random(20)
_NOISE = [_random.gauss(1.0, 0.3) for _ in range(150)]
_BURST = [*_NOISE[:70], 1e9, -1e15, 1e30, *_NOISE[70:]]
STREAMS: dict[str, list[float]] = {
    "noise": _NOISE,
    "eighths": [_random.randrange(9) / 8 for _ in range(150)],
    "tenths": [_random.randrange(11) / 10 for _ in range(150)],
    "flat": [0.1] * 60,
    "noise that goes flat": [*_NOISE[:40], *[1 / 3] * 60],
    "huge": [x * 1e100 for x in _NOISE],
    "tiny": [x * 1e-100 for x in _NOISE],
    "high level": [1e6 + x * 1e-3 for x in _NOISE],
    "many sizes": [math.copysign(10 ** (9 * x), x - 1) for x in _NOISE],
    "trend": [6.0 - 0.04 * step for step in range(150)],
    "spikes": _BURST,
}

every_statistic = pytest.mark.parametrize("name", list(STATISTICS))
finite_floats = st.floats(allow_nan=False, allow_infinity=False)


def _answers(name: str, window: int, stream: Sequence[float]) -> list[float | None]:
    statistic = STATISTICS[name](window)
    answers = []
    for x in stream:
        statistic.update(x)
        answers.append(statistic.get())
    return answers


def _expected(name: str, window: int, stream: Sequence[float]) -> list[float | None]:
    extra = EXTRA.get(name, 0)
    answers: list[float | None] = []
    for end in range(1, len(stream) + 1):
        seen = stream[max(end - window - extra, 0) : end]
        enough = len(seen) == window + extra
        answers.append(ORACLES[name](seen[:window], seen[-1]) if enough else None)
    return answers


def test_rules_can_name_exactly_the_registered_statistics() -> None:
    named = load_schema("rules")["$defs"]["statistic"]["enum"]
    assert sorted(named) == sorted(STATISTICS) == sorted(ORACLES)


@every_statistic
@pytest.mark.parametrize("stream", list(STREAMS))
@pytest.mark.parametrize("window", [1, 2, 5, 20])
def test_a_statistic_equals_a_plain_recompute_over_its_window(
    name: str, stream: str, window: int
) -> None:
    """None before there is enough, then the definition, up to rounding."""
    answers = _answers(name, window, STREAMS[stream])
    expected = _expected(name, window, STREAMS[stream])
    assert [x is None for x in answers] == [x is None for x in expected]
    # Only a z-score has a scale of its own, on which what is next to zero can be told.
    next_to_zero = 1e-12 if name == "zscore" else 0.0
    assert [x for x in answers if x is not None] == pytest.approx(
        [x for x in expected if x is not None], rel=1e-8, abs=next_to_zero
    )


@pytest.mark.parametrize("stream", ["eighths", "tenths", "spikes", "many sizes"])
@pytest.mark.parametrize("window", [3, 20])
def test_the_mean_is_correctly_rounded_so_that_ties_are_decided_right(
    stream: str, window: int
) -> None:
    values = STREAMS[stream]
    exact = [math.fsum(values[end - window : end]) / window for end in range(window, len(values))]
    assert _answers("mean", window, values)[window - 1 : -1] == exact


@every_statistic
@pytest.mark.parametrize("window", [2, 5, 20])
def test_a_spike_that_left_the_window_leaves_no_trace(name: str, window: int) -> None:
    """Bit-equal to the stream that never had it; river's own rolling means are off for ever."""
    for spike in ([1e30], [-1e30, 1e15], [1e308, 5e-324, -1e308]):
        spiked = _answers(name, window, [*_NOISE[:50], *spike, *_NOISE[50:]])
        clean = _answers(name, window, _NOISE)
        assert spiked[50 + len(spike) + window :] == clean[50 + window :]


@every_statistic
@given(
    st.lists(finite_floats, max_size=8),
    st.lists(finite_floats, max_size=8),
    st.lists(finite_floats, min_size=7, max_size=10),
    st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_the_history_before_the_window_does_not_matter(
    name: str, one: list[float], other: list[float], shared: list[float], window: int
) -> None:
    with_one = _answers(name, window, [*one, *shared])
    assert with_one[-1] == _answers(name, window, [*other, *shared])[-1]


@every_statistic
@given(st.lists(finite_floats, max_size=20), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_no_finite_number_raises_or_gives_one_that_is_not_finite(
    name: str, stream: list[float], window: int
) -> None:
    assert all(x is None or math.isfinite(x) for x in _answers(name, window, stream))


@every_statistic
@pytest.mark.parametrize(
    "stream",
    [
        [1.7e308] * 10,
        [1.7e308, -1.7e308] * 5,
        [0.0, 5e-324] * 4 + [1.0, 1e300],
        [1e200, 2e200, 3e200, 4e200, 9e200],
    ],
)
@pytest.mark.parametrize("window", [1, 2, 4])
def test_values_at_the_end_of_the_range_give_none_or_a_finite_number(
    name: str, stream: list[float], window: int
) -> None:
    assert all(x is None or math.isfinite(x) for x in _answers(name, window, stream))


@every_statistic
@pytest.mark.parametrize("window", [2, 7])
def test_there_is_no_answer_before_the_window_is_full(name: str, window: int) -> None:
    assert STATISTICS[name](window).get() is None
    first = window + EXTRA.get(name, 0)
    answers = _answers(name, window, _NOISE[:20])
    assert answers[: first - 1] == [None] * (first - 1)
    assert None not in answers[first:]


@pytest.mark.parametrize("value", [0.1, 1 / 3, -2.7e-300, 1e300, 0.0])
@pytest.mark.parametrize("window", [2, 7, 50])
def test_the_standard_deviation_of_equal_values_is_exactly_zero(value: float, window: int) -> None:
    answers = _answers("std", window, [*_NOISE, *[value] * (window + 20)])
    assert answers[-21:] == [0.0] * 21
    assert all(x is None or x >= 0.0 for x in answers)


def test_a_standard_deviation_of_one_value_does_not_exist() -> None:
    assert _answers("std", 1, [1.0, 2.0]) == [None, None]


def test_a_spike_does_not_hide_itself_from_its_z_score() -> None:
    score = _answers("zscore", 20, [*_NOISE[:40], 10.0])[-1]
    assert score is not None
    assert score > 15


@every_statistic
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("after", [0, 3, 40])
def test_a_copy_goes_on_as_the_original_does(
    name: str, copied: Callable[[object], object], after: int
) -> None:
    original = STATISTICS[name](6)
    for x in _BURST[:after]:
        original.update(x)
    twin = copied(original)
    assert isinstance(twin, STATISTICS[name])
    assert twin.get() == original.get()
    for x in _BURST[after:]:
        original.update(x)
        twin.update(x)
        assert twin.get() == original.get()


@every_statistic
def test_a_window_holds_at_least_one_observation(name: str) -> None:
    assert STATISTICS[name](4).window_size == 4
    with pytest.raises(ValueError, match="window_size must be at least 1, not 0"):
        STATISTICS[name](0)
