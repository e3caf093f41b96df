"""One battery of checks over every statistic: each is what its window says, and nothing else."""

from __future__ import annotations

import copy
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction as Exact
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.statistics.baseline import Baseline
from post_training_toolkit.engine.statistics.before import Before
from post_training_toolkit.engine.statistics.correlation import Correlation
from post_training_toolkit.engine.statistics.registry import (
    STATISTICS,
    WHOLE_RUN,
    StatisticError,
    build_statistic,
    describe_statistics,
)
from post_training_toolkit.engine.statistics.running_best import RunningBest
from post_training_toolkit.engine.statistics.running_sums import RunningSumStatistic

Oracle = Callable[[Sequence[float]], float | None]
# Reduced in the normal tests; the slow target asks for ten thousand.
STREAMS = int(os.environ.get("PTT_STREAMS", "300"))
PARAMETERS: dict[str, dict[str, Any]] = {
    "quantile": {"q": 0.9},
    "fraction": {"holds": (0.5).__lt__},
}
WINDOWLESS = {"last": 1, "change": 2}
DETECTORS = ("page_hinkley", "adwin")
# Those whose value follows from a window of one metric.
WINDOWED = [each for each in STATISTICS if each not in (*DETECTORS, "correlation", "ewmean")]
DOTTED = ["river.stats.Kurtosis", "river.stats.Skew", "river.stats.SEM", "river.stats.MAD"]


def _float(number: Any) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None


def _exactly(values: Sequence[float]) -> list[Exact]:
    return [Exact(x) for x in values]


def _mean(values: Sequence[float]) -> float | None:
    return _float(sum(_exactly(values)) / len(values))


def _std(values: Sequence[float]) -> float | None:
    exact = _exactly(values)
    mean = sum(exact) / len(exact)
    variance = _float(sum((x - mean) ** 2 for x in exact) / (len(exact) - 1))
    return None if variance is None else math.sqrt(variance)


def _slope(values: Sequence[float]) -> float | None:
    size = len(values)
    weighted = sum((2 * k - size + 1) * x for k, x in enumerate(_exactly(values)))
    return _float(weighted * 6 / (size * (size * size - 1)))


def _quantile(q: float) -> Callable[[Sequence[float]], float]:
    def oracle(values: Sequence[float]) -> float:
        ordered = sorted(values)
        place = q * (len(ordered) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    return oracle


def _zscore(values: Sequence[float]) -> float | None:
    before, newest = values[:-1], values[-1]
    spread = (_quantile(0.75)(before) - _quantile(0.25)(before)) / 1.3489795003921634
    return (newest - _quantile(0.5)(before)) / spread if spread > 0 else None


def _trend(values: Sequence[float]) -> float | None:
    size = len(values) // 8
    if max(map(abs, values)) > 1e150:
        # Numpy would square these.
        return None
    blocks = np.array(values[len(values) % 8 :]).reshape(8, size).mean(axis=1)
    places = np.arange(8.0)
    slope, level = np.polyfit(places, blocks, 1)
    residuals = blocks - (level + slope * places)
    error = math.sqrt((residuals**2).sum() / 6 / ((places - 3.5) ** 2).sum())
    return float(slope / error) if error > 1e-9 * (abs(slope) + abs(level)) else None


ORACLES: dict[str, Oracle] = {
    "last": lambda values: values[-1],
    "change": lambda values: values[-1] - values[-2],
    "mean": _mean,
    "std": _std,
    "min": min,
    "max": max,
    "range": lambda values: max(values) - min(values),
    "median": _quantile(0.5),
    "quantile": _quantile(0.9),
    "iqr": lambda values: _quantile(0.75)(values) - _quantile(0.25)(values),
    "fraction": lambda values: sum(x > 0.5 for x in values) / len(values),
    "slope": _slope,
    "trend": _trend,
    "zscore": _zscore,
}


def _window(name: str, window: int) -> int | None:
    return None if name in WINDOWLESS else max(window, 16) if name == "trend" else window


def _build(name: str, window: int = 20) -> Any:
    return build_statistic(name, _window(name, window), PARAMETERS.get(name, {}))


def _needed(name: str, window: int = 20) -> int:
    """Return how many observations the value looks at."""
    if name in WINDOWLESS:
        return WINDOWLESS[name]
    size = _window(name, window)
    assert size is not None
    return size + (name == "zscore")


def _streams(seed: int, length: int = 240) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    noise = rng.normal(1.0, 0.3, length)
    steps = np.arange(length)
    spiky = noise.copy()
    spikes = rng.random(length) < 0.03
    spiky[spikes] = rng.choice([1e6, -1e9, 1e15, -1e30], spikes.sum())
    flat = noise.copy()
    flat[60:150] = 0.7
    streams = {
        "noise": noise,
        "eighths": rng.integers(0, 9, length) / 8,
        "tenths": rng.integers(0, 11, length) / 10,
        "flat": flat,
        "constant": np.full(length, 0.1),
        "huge": noise * 1e300,
        "tiny": noise * 1e-300,
        "level": 1e9 + noise,
        "spiky": spiky,
        "rising": steps * 0.01,
        "falling": 5 * 0.97**steps,
        "drop": np.where(steps < 120, 1e6 + noise, noise * 1e-3),
        "alternating": np.where(steps % 2 == 0, 3.0, -3.0),
    }
    return {name: [float(x) for x in values] for name, values in streams.items()}


STREAM_NAMES = list(_streams(0, 10))


def _follow(statistic: Any, values: Sequence[float]) -> Iterator[tuple[int, float | None]]:
    """Feed the values; yield what the definition says after each, once get has been checked."""
    for index, x in enumerate(values, start=1):
        statistic.update(x)
        quick, defined = statistic.get(), statistic.recompute()
        assert (quick is None) == (defined is None), index
        if defined is not None:
            assert math.isfinite(quick)
            assert abs(quick - defined) <= statistic.error_bound(), (index, quick, defined)
            assert not statistic.exact or quick == defined
        yield index, defined


@pytest.mark.parametrize("stream", STREAM_NAMES)
@pytest.mark.parametrize("window", [2, 20, 77])
@pytest.mark.parametrize("name", WINDOWED)
def test_a_value_is_what_its_window_says(name: str, window: int, stream: str) -> None:
    values = _streams(window)[stream]
    needed = _needed(name, window)
    for index, value in _follow(_build(name, window), values):
        if index < needed:
            assert value is None
            continue
        content = values[index - needed : index]
        expected = ORACLES[name](content)
        if value is None or expected is None:
            # Only on windows without any spread, and where squares leave the range of floats.
            assert name in ("trend", "zscore", "std")
            continue
        scale = max(map(abs, content))
        if name in ("trend", "zscore"):
            assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
        elif not (name == "std" and scale < 1e-150):
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-13 * scale)


@pytest.mark.parametrize("name", WINDOWED)
def test_random_streams_agree_with_the_definition(name: str) -> None:
    """Spikes of any size come and go; what is not finite is dropped at the door."""
    rng = np.random.default_rng(7)
    for _ in range(STREAMS):
        window = int(rng.integers(2, 40))
        raw: list[Any] = [float(x) for x in rng.normal(rng.normal(), abs(rng.normal()), 60)]
        for place in rng.integers(0, 60, 6):
            raw[place] = rng.choice(
                np.array([1e30, -1e12, 1e6, math.nan, math.inf, None, "text"], dtype=object)
            )
        values = [row["x"] for x in raw if (row := admit({"x": x}).values)]
        needed = _needed(name, window)
        for index, value in _follow(_build(name, window), values):
            if index < needed or value is None:
                continue
            content = values[index - needed : index]
            expected = ORACLES[name](content)
            if expected is not None and name not in ("trend", "zscore"):
                scale = max(map(abs, content))
                assert value == pytest.approx(expected, rel=1e-12, abs=1e-13 * scale)


@pytest.mark.parametrize("name", WINDOWED)
def test_a_spike_that_has_left_leaves_no_trace(name: str) -> None:
    clean = _streams(3)["noise"]
    spoiled = [*clean[:100], 1e30, *clean[100:]]
    first, second = _build(name), _build(name)
    for x in clean[:100]:
        first.update(x)
    for x in spoiled[:101]:
        second.update(x)
    for index, x in enumerate(clean[100:], start=1):
        first.update(x)
        second.update(x)
        if index >= _needed(name):
            assert first.recompute() == second.recompute()
            assert second.get() == pytest.approx(second.recompute(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", [*WINDOWED, *DETECTORS, "ewmean"])
def test_a_copy_and_a_kept_one_go_on_to_the_bit(name: str) -> None:
    values = _streams(5)["spiky"]
    original = _build(name)
    for x in values[:100]:
        original.update(x)
    copied, kept = copy.deepcopy(original), pickle.loads(pickle.dumps(original))
    for x in values[100:]:
        for each in (original, copied, kept):
            each.update(x)
        assert original.get() == copied.get() == kept.get()


@pytest.mark.parametrize("stream", ["noise", "rising", "falling", "eighths", "constant"])
@pytest.mark.parametrize("name", ["mean", "std", "slope", "trend"])
def test_sums_are_computed_anew_once_in_many_windows(
    name: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost of an update does not grow with the window: a pass over it is rare."""
    passes = 0
    start_anew = RunningSumStatistic._start_anew

    def counted(self: RunningSumStatistic) -> None:
        nonlocal passes
        passes += 1
        start_anew(self)

    monkeypatch.setattr(RunningSumStatistic, "_start_anew", counted)
    for window in (16, 400):
        passes = 0
        statistic = _build(name, window)
        for x in _streams(2, 8000)[stream]:
            statistic.update(x)
        assert 1 <= passes <= 8000 / window / 8


def test_the_cost_of_an_extreme_does_not_grow_with_the_window() -> None:
    """The queue of a monotone stream is as long as the window, its cost an update is not."""

    def seconds(window: int) -> float:
        best = math.inf
        for _ in range(3):
            statistic = build_statistic("max", window, {})
            start = time.process_time()
            for x in range(30_000):
                statistic.update(-float(x))
            best = min(best, time.process_time() - start)
        return best

    assert seconds(5000) < 10 * seconds(50)


@pytest.mark.parametrize("name", WINDOWED)
def test_a_value_is_never_an_exception_at_the_ends_of_the_range(name: str) -> None:
    rng = np.random.default_rng(1)
    statistic = _build(name)
    for x in rng.choice([1.7e308, -1.7e308, 5e-324, 0.0, -0.0, 1.0], 300):
        statistic.update(float(x))
        for value in (statistic.get(), statistic.recompute()):
            assert value is None or math.isfinite(value)


def test_the_spread_of_a_flat_window_is_exactly_zero() -> None:
    statistic = _build("std")
    for x in (*_streams(0)["noise"], *[0.1] * 20):
        statistic.update(x)
        assert statistic.get() is None or statistic.get() >= 0.0
    assert statistic.recompute() == 0.0
    assert statistic.get() <= statistic.error_bound() < 1e-5


@pytest.mark.parametrize("levels", [False, True])
@pytest.mark.parametrize("stream", ["noise", "eighths", "spiky", "flat", "level", "rising"])
def test_a_correlation_is_that_of_the_window(levels: bool, stream: str) -> None:
    xs = _streams(1)[stream]
    ys = [0.5 * x + noise for x, noise in zip(xs, _streams(9)["noise"], strict=True)]
    statistic = Correlation(20, levels=levels)
    for index, (x, y) in enumerate(zip(xs, ys, strict=True), start=1):
        statistic.update(x, y)
        quick, defined = statistic.get(), statistic.recompute()
        if index < 20 + (not levels):
            assert quick is None
            continue
        assert (quick is None) == (defined is None)
        if defined is None:
            continue
        assert abs((quick or 0.0) - defined) <= statistic.error_bound()
        # The changes of a straight line are rounding errors.
        if stream != "spiky" and (levels or stream != "rising"):
            pair = np.array([xs[:index], ys[:index]])
            pair = pair[:, -20:] if levels else np.diff(pair)[:, -20:]
            assert defined == pytest.approx(np.corrcoef(pair)[0, 1], abs=1e-6)


def test_two_that_merely_trend_correlate_by_their_levels_only() -> None:
    changes, levels = Correlation(100), Correlation(100, levels=True)
    rng = np.random.default_rng(0)
    for step in range(102):
        pair = [step + float(noise) for noise in rng.normal(0, 3, 2)]
        changes.update(*pair)
        levels.update(*pair)
    assert levels.get() == pytest.approx(0.98, abs=0.02)
    assert abs(changes.get() or 1.0) < 0.3


@pytest.mark.parametrize("name", list(WHOLE_RUN))
def test_a_whole_run_statistic_is_that_of_everything_from_the_fifth_value_on(name: str) -> None:
    values = _streams(4)["noise"]
    statistic = build_statistic(name, None, PARAMETERS.get(name, {}))
    for index, x in enumerate(values, start=1):
        statistic.update(x)
        assert (statistic.get() is None) == (index < 5)
    # Quantiles are estimated over the whole run.
    tolerance = 0.05 if name in ("median", "quantile") else 1e-9
    assert statistic.get() == pytest.approx(ORACLES[name](values), rel=tolerance)
    assert statistic.recompute() == statistic.get()


def test_an_exponential_mean_waits_for_its_window_and_follows_its_formula() -> None:
    statistic, expected = _build("ewmean"), None
    for index, x in enumerate(_streams(4)["noise"], start=1):
        statistic.update(x)
        expected = x if expected is None else expected + (x - expected) * 2 / 21
        assert statistic.get() == (None if index < 20 else pytest.approx(expected))


@pytest.mark.parametrize("window", [None, 30])
@pytest.mark.parametrize("name", DOTTED)
def test_any_statistic_of_river_can_be_named(name: str, window: int | None) -> None:
    statistic = build_statistic(name, window, {})
    values = _streams(6)["spiky"][:200] + _streams(6)["noise"][:60]
    for x in values:
        statistic.update(x)
    if window is not None:
        fresh = build_statistic(name, window, {})
        for x in values[-window:]:
            fresh.update(x)
        assert statistic.get() == fresh.get() is not None
    assert pickle.loads(pickle.dumps(statistic)).get() == statistic.get()


@pytest.mark.parametrize(
    ("name", "window", "parameters", "message"),
    [
        ("river.stats.Kurtosi", 20, {}, "river.stats has no 'Kurtosi'; did you mean 'Kurtosis'?"),
        ("river.stats.Cov", 20, {}, "looks at two metrics"),
        ("river.stats.AutoCorr", 20, {}, "needs lag"),
        ("river.stats.EWMean", 20, {"fading": 0.1}, "does not work with its arguments"),
        ("river.stats.RollingIQR", 20, {"window_size": 0}, "window_size: 0; whole numbers from 1"),
        ("river.stats.Shift", None, {"amount": -100_001}, "whole numbers from -100000 to 100000"),
        ("slope", None, {}, "'slope' has no meaning over the whole run"),
        ("trend", 8, {}, "window_size must be at least 16, not 8"),
        ("page_hinkley", 3, {}, "window_size must be at least 10, not 3"),
        ("mean", 0, {}, "window_size must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_built_says_why(
    name: str, window: int | None, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(StatisticError) as raised:
        build_statistic(name, window, parameters)
    assert message in str(raised.value)


def test_no_argument_can_ask_river_for_more_memory_than_there_is() -> None:
    # river ends the process where it gets none; no handler would see that.
    size = {"q": 0.5, "window_size": 10**12}
    with pytest.raises(StatisticError, match="whole numbers from 1 to 100000 are allowed there"):
        build_statistic("river.stats.RollingQuantile", None, size)


@pytest.mark.parametrize("level", [0.1, 0.2, 0.3, 0.7, 0.9, -0.7, 1e-300, 1e300])
@pytest.mark.parametrize("window", [3, 6, 12, 13, 48])
def test_the_mean_of_a_level_window_is_that_level(level: float, window: int) -> None:
    mean = build_statistic("mean", window, {})
    for _ in range(3 * window):
        mean.update(level)
    assert (mean.recompute(), mean.get()) == (level, level)


def test_before_is_one_observation_late() -> None:
    before, plain = Before(_build("mean")), _build("mean")
    values = _streams(8)["spiky"]
    before.update(values[0])
    for earlier, x in pairwise(values):
        before.update(x)
        plain.update(earlier)
        assert (before.get(), before.recompute()) == (plain.get(), plain.recompute())
        assert before.error_bound() == plain.error_bound()


def test_a_baseline_is_the_median_of_the_beginning() -> None:
    baseline = Baseline(5)
    seen = []
    for x in (5.0, 1.0, 9.0, 2.0, 3.0, 100.0):
        baseline.update(x)
        seen.append(baseline.get())
    assert seen == [None, None, None, None, 3.0, 3.0]


@pytest.mark.parametrize(("highest", "best"), [(True, [2, 2, 5, 5]), (False, [2, 1, 1, 0.5])])
def test_a_running_best_only_gets_better(highest: bool, best: list[float]) -> None:
    running = RunningBest(highest=highest)
    assert running.get() is None
    seen = []
    for x in (2.0, 1.0, 5.0, 0.5):
        running.update(x)
        seen.append(running.get())
    assert seen == best


def test_every_statistic_of_the_schema_is_described() -> None:
    described = {each.name: each for each in describe_statistics()}
    assert described.keys() == {*STATISTICS, "age"}
    assert all(each.summary.endswith(".") for each in described.values())
    assert {name for name, each in described.items() if each.whole_run} == set(WHOLE_RUN)
    assert {name for name, each in described.items() if not each.takes_window} == {
        *WINDOWLESS,
        "age",
    }
