"""The statistics by the names that rules use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from river import stats

from post_training_toolkit.engine.statistics.change import Change
from post_training_toolkit.engine.statistics.change_detectors import Adwin, PageHinkley
from post_training_toolkit.engine.statistics.correlation import Correlation
from post_training_toolkit.engine.statistics.cumulative import (
    ExponentialMean,
    RiverStatistic,
    RunStd,
)
from post_training_toolkit.engine.statistics.extremes import Max, Min, Range
from post_training_toolkit.engine.statistics.fraction import Fraction
from post_training_toolkit.engine.statistics.last import Last
from post_training_toolkit.engine.statistics.mean import Mean
from post_training_toolkit.engine.statistics.quantiles import (
    InterquartileRange,
    Median,
    Quantile,
)
from post_training_toolkit.engine.statistics.river_by_name import (
    PREFIX,
    StatisticError,
    build_river_statistic,
)
from post_training_toolkit.engine.statistics.slope import Slope
from post_training_toolkit.engine.statistics.std import Std
from post_training_toolkit.engine.statistics.trend import Trend
from post_training_toolkit.engine.statistics.zscore import ZScore

# Take no window: they look at the newest observations by definition.
_WINDOWLESS: Mapping[str, Any] = MappingProxyType({"last": Last, "change": Change})
_WINDOWED: Mapping[str, Any] = MappingProxyType(
    {
        "mean": Mean,
        "std": Std,
        "min": Min,
        "max": Max,
        "median": Median,
        "quantile": Quantile,
        "iqr": InterquartileRange,
        "range": Range,
        "ewmean": ExponentialMean,
        "slope": Slope,
        "trend": Trend,
        "fraction": Fraction,
        "correlation": Correlation,
        "zscore": ZScore,
        "page_hinkley": PageHinkley,
        "adwin": Adwin,
    }
)
STATISTICS: Mapping[str, Any] = MappingProxyType({**_WINDOWLESS, **_WINDOWED})
# Over the whole run, where a quantile is an estimate by the P2 algorithm.
WHOLE_RUN: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "mean": lambda: RiverStatistic(stats.Mean()),
        "std": RunStd,
        "min": lambda: RiverStatistic(stats.Min()),
        "max": lambda: RiverStatistic(stats.Max()),
        "range": lambda: RiverStatistic(stats.PeakToPeak()),
        "median": lambda: RiverStatistic(stats.Quantile(0.5)),
        "quantile": lambda q: RiverStatistic(stats.Quantile(q)),
    }
)
_PARAMETERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "quantile": {"q": "which quantile, between 0 and 1"},
        "fraction": {
            "above, below, between, outside, equals": "what an observation must be to count",
            "tolerance": "half width of the band round equals; 0 when left out",
        },
        "correlation": {
            "with": "the other metric",
            "levels": "true for the values themselves instead of their changes",
        },
        "page_hinkley": {
            "direction": "up (when left out) or down",
            "delta": "the tolerated change in standard deviations; 0.5 when left out",
            "threshold": "the sum of excess that counts as a change; 15 when left out",
        },
        "adwin": {
            "direction": "up (when left out) or down",
            "delta": "the significance; 0.002 when left out",
        },
    }
)


@dataclass(frozen=True, slots=True)
class StatisticDescription:
    """What a reader must know of a statistic; ``parameters`` maps names to meanings."""

    name: str
    summary: str
    takes_window: bool
    whole_run: bool
    parameters: Mapping[str, str] = field(default_factory=dict)


def build_statistic(name: str, window_size: int | None, parameters: Mapping[str, Any]) -> Any:
    """Build a statistic by name; ``window_size`` None stands for the whole run.

    Raises ``StatisticError`` for what cannot be built, with a sentence.

    >>> build_statistic("quantile", 20, {"q": 0.9}).window_size
    20
    """
    if name.startswith(PREFIX):
        return build_river_statistic(name, window_size, parameters)
    try:
        if name in _WINDOWLESS:
            return _WINDOWLESS[name]()
        if window_size is not None:
            return _WINDOWED[name](window_size, **parameters)
    except ValueError as error:
        raise StatisticError(f"{name!r}: {error}") from None
    if name not in WHOLE_RUN:
        raise StatisticError(
            f"{name!r} has no meaning over the whole run; give it a window of observations "
            f"(over the whole run there are {', '.join(WHOLE_RUN)})"
        )
    return WHOLE_RUN[name](**parameters)


def describe_statistics() -> Iterator[StatisticDescription]:
    """Yield what there is to know of every statistic with a name of its own."""
    for name, kind in STATISTICS.items():
        yield StatisticDescription(
            name=name,
            summary=_first_paragraph(kind),
            takes_window=name not in _WINDOWLESS,
            whole_run=name in WHOLE_RUN,
            parameters=_PARAMETERS.get(name, {}),
        )
    yield StatisticDescription(
        name="age",
        summary="The optimizer steps since the metric was last logged as a number.",
        takes_window=False,
        whole_run=False,
    )


def _first_paragraph(kind: Any) -> str:
    documentation = inspect.getdoc(kind) or ""
    return " ".join(documentation.split("\n\n")[0].split())


__all__ = [
    "STATISTICS",
    "WHOLE_RUN",
    "StatisticDescription",
    "StatisticError",
    "build_statistic",
    "describe_statistics",
]
