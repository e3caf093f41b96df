"""Change detectors and trends, on noise in which neighbouring observations are alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from post_training_toolkit.engine.statistics.change_detectors import Adwin, PageHinkley
from post_training_toolkit.engine.statistics.trend import Trend


def _noise(rng: np.random.Generator, autocorrelation: float, length: int = 400) -> list[float]:
    shocks = rng.normal(0.0, math.sqrt(1 - autocorrelation**2), length + 50)
    values = [0.0]
    for shock in shocks:
        values.append(autocorrelation * values[-1] + float(shock))
    return values[51:]


@pytest.mark.parametrize(
    ("kind", "autocorrelation", "false_alarms", "hits"),
    [
        (PageHinkley, 0.0, 0.06, 0.97),
        (PageHinkley, 0.5, 0.12, 0.8),
        (PageHinkley, 0.8, 0.25, 0.4),
        (Adwin, 0.0, 0.03, 0.95),
        (Adwin, 0.8, 0.08, 0.7),
    ],
)
def test_change_detectors_find_shifts_and_leave_autocorrelated_noise_alone(
    kind: type[PageHinkley | Adwin], autocorrelation: float, false_alarms: float, hits: float
) -> None:
    rng = np.random.default_rng(11)
    alarms = found = 0
    for _ in range(100):
        values = _noise(rng, autocorrelation)
        quiet, shifted = kind(40), kind(40)
        alarms += True in [_told(quiet, x) for x in values]
        told = [_told(shifted, x + 2.0 * (index >= 200)) for index, x in enumerate(values)]
        found += any(told[200:])
    assert alarms / 100 <= false_alarms
    assert found / 100 >= hits


def _told(detector: PageHinkley | Adwin, x: float) -> bool:
    detector.update(x)
    return bool(detector.get())


@pytest.mark.parametrize("kind", [PageHinkley, Adwin])
def test_one_value_far_away_does_not_blind_a_change_detector(
    kind: type[PageHinkley | Adwin],
) -> None:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(20):
        values = _noise(rng, 0.0)
        detector = kind(40, direction="down")
        told = [
            _told(detector, 1e6 if index == 60 else x - 3.0 * (index >= 250))
            for index, x in enumerate(values)
        ]
        found += any(told[250:])
    assert found >= 18


@pytest.mark.parametrize(("autocorrelation", "most"), [(0.0, 0.02), (0.5, 0.04), (0.8, 0.08)])
def test_a_trend_is_not_seen_in_noise_and_is_seen_where_it_is(
    autocorrelation: float, most: float
) -> None:
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(400):
        statistic = Trend(50)
        for x in _noise(rng, autocorrelation, 50):
            statistic.update(x)
        value = statistic.recompute()
        assert value is not None
        seen += abs(value) > 4
    assert seen / 400 <= most
    rising = Trend(50)
    for k, x in enumerate(_noise(rng, autocorrelation, 50)):
        rising.update(x + 0.3 * k)
    assert (rising.get() or 0.0) > 4
