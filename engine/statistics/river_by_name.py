"""Any univariate statistic of river, by its dotted name."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from typing import Any

from river import stats
from river.stats.base import Bivariate, Univariate

from post_training_toolkit.engine.containment import raised_by
from post_training_toolkit.engine.statistics.cumulative import RiverStatistic
from post_training_toolkit.engine.statistics.window import WindowStatistic
from post_training_toolkit.rules.suggestion import did_you_mean

PREFIX = "river.stats."
# Sizes and lags beyond this ask river for more memory than there is, and where it gets none it ends
# the whole process, which no handler sees. The same bound as for windows.
_LARGEST_SIZE = 100_000
# Enough to fill small windows, with a flat stretch, which is where statistics divide by zero.
_PROBE = (0.5, -1.0, 2.0, 0.0, 3.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 8.0, -2.5, 0.25, 1.0, 1e6)


class StatisticError(ValueError):
    """A statistic that cannot be built; the text says why."""


class RiverWindow(WindowStatistic):
    """A statistic of river over a window: a fresh object that saw the window and nothing else.

    That is exact for every statistic, at the cost of a pass over the window for each value.

    >>> kurtosis = RiverWindow(4, stats.Kurtosis())
    >>> for x in (1e30, 1.0, 2.0, 3.0, 4.0):
    ...     kurtosis.update(x)
    >>> round(kurtosis.get(), 2)
    -1.2
    """

    def __init__(self, window_size: int, statistic: Any) -> None:
        super().__init__(window_size)
        self._statistic = statistic

    def _define(self) -> float | None:
        fresh = copy.deepcopy(self._statistic)
        try:
            for x in self._values:
                fresh.update(x)
            value: float | None = fresh.get()
        except (ArithmeticError, ValueError):
            return None
        return value


def build_river_statistic(
    name: str, window_size: int | None, arguments: Mapping[str, Any]
) -> RiverStatistic | RiverWindow:
    """Build a statistic of river, over the whole run or over a window; raises ``StatisticError``.

    >>> build_river_statistic("river.stats.Skew", 20, {}).window_size
    20
    """
    chosen = _choose(name, arguments)
    _check_sizes(name, arguments)
    error = raised_by(_try_out, chosen, arguments)
    if isinstance(error, StatisticError):
        raise StatisticError(f"{name} cannot be used in a rule: {error}")
    if error is not None:
        raise StatisticError(f"{name} does not work with its arguments: {error}")
    statistic = chosen(**arguments)
    return RiverStatistic(statistic) if window_size is None else RiverWindow(window_size, statistic)


def _choose(name: str, arguments: Mapping[str, Any]) -> Any:
    short = name.removeprefix(PREFIX)
    known = [each for each in stats.__all__ if _is_univariate(getattr(stats, each))]
    chosen = getattr(stats, short, None) if short in stats.__all__ else None
    if chosen is None:
        raise StatisticError(f"river.stats has no {short!r}{did_you_mean(short, known)}")
    if _is_a(chosen, Bivariate):
        raise StatisticError(f"{name} looks at two metrics; use 'correlation' for that")
    if short not in known:
        raise StatisticError(f"{name} is no statistic of one metric")
    missing = _required_arguments(chosen) - arguments.keys()
    if missing:
        example = f"{{name: {name}, arguments: {{{min(missing)}: ...}}}}"
        raise StatisticError(f"{name} needs {', '.join(sorted(missing))}; write {example}")
    return chosen


def _check_sizes(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse whole numbers that river would allocate memory by, or panic at."""
    for argument, value in arguments.items():
        if not isinstance(value, int):
            continue
        least = 1 if argument == "window_size" else -_LARGEST_SIZE
        if not least <= value <= _LARGEST_SIZE:
            raise StatisticError(
                f"{name} does not work with {argument}: {value}; "
                f"whole numbers from {least} to {_LARGEST_SIZE} are allowed there"
            )


def _is_univariate(kind: Any) -> bool:
    return _is_a(kind, Univariate) and not inspect.isabstract(kind)


def _is_a(kind: Any, base: type) -> bool:
    # Among the names of river.stats there is a module.
    return inspect.isclass(kind) and issubclass(kind, base)


def _required_arguments(kind: Any) -> set[str]:
    parameters = inspect.signature(kind).parameters.values()
    return {
        each.name
        for each in parameters
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    }


def _try_out(chosen: Any, arguments: Mapping[str, Any]) -> None:
    """Feed a statistic a short stream; raises what speaks against it."""
    statistic = chosen(**arguments)
    try:
        probe = pickle.loads(pickle.dumps(copy.deepcopy(statistic)))  # noqa: S301 - our own bytes
    except (AttributeError, TypeError, ValueError, pickle.PickleError) as error:
        raise StatisticError(f"it cannot be copied and kept ({error})") from None
    for x in _PROBE:
        try:
            probe.update(x)
            value = probe.get()
        except (ArithmeticError, ValueError):
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not is_number:
            raise StatisticError(f"its value is no number but {type(value).__name__}")
