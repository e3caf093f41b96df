"""The statistics by the names that rules use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from post_training_toolkit.engine.statistics.last import Last
from post_training_toolkit.engine.statistics.mean import Mean
from post_training_toolkit.engine.statistics.median import Median
from post_training_toolkit.engine.statistics.std import Std
from post_training_toolkit.engine.statistics.window import WindowStatistic
from post_training_toolkit.engine.statistics.zscore import ZScore

STATISTICS: Mapping[str, type[WindowStatistic]] = MappingProxyType(
    {"last": Last, "mean": Mean, "median": Median, "std": Std, "zscore": ZScore}
)


class StatisticError(ValueError):
    pass


def build_statistic(name, window_size, parameters):
    return STATISTICS[name](window_size)
