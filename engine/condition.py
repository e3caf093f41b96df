"""Conditions at run time: a rule's comparisons over shared statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from river.stats.base import Univariate

from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.statistics.running_best import RunningBest
from post_training_toolkit.rules.model import Comparison


@dataclass(frozen=True, slots=True)
class Reading:
    """What one comparison said: met, not met, or None when it cannot be judged yet."""

    met: bool | None
    value: float | None = None
    reference: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """A compiled threshold: its comparison, its bounds as numbers, and its text.

    ``low`` and ``high`` are the interval of between, outside and equals; above has its bound in
    ``low``, below in ``high``.
    """

    comparison: Comparison
    text: str
    low: float = 0.0
    high: float = 0.0

    def are_broken_by(self, x: float) -> bool:
        """Return whether a number is bad; a value exactly at the bound is not above or below it."""
        match self.comparison:
            case Comparison.ABOVE:
                return x > self.low
            case Comparison.BELOW:
                return x < self.high
            case Comparison.BETWEEN | Comparison.EQUALS:
                return self.low <= x <= self.high
            case Comparison.OUTSIDE:
                return x < self.low or x > self.high
            case Comparison.NON_FINITE | Comparison.MISSING:
                raise ValueError(f"{self.comparison} is no comparison of numbers")


class ValueCheck:
    """Compares a statistic of one metric, or its ratio to a reference, with limits.

    ``window`` is the number of observations the statistic looks at, ``reading`` the newest outcome.
    """

    def __init__(
        self,
        metric: str,
        label: str | None,
        limits: Limits,
        statistic: Univariate[float],
        window: int,
        reference: Univariate[float] | None = None,
        reference_at_least: float = 0.0,
    ) -> None:
        self.metric = metric
        self.label = label
        self.limits = limits
        self.window = window
        self.reading = Reading(None)
        self._statistic = statistic
        self._reference = reference
        self._reference_at_least = reference_at_least

    def wakes(self, row: Row) -> bool:
        """Return whether the row holds something new to judge."""
        return self.metric in row.values

    def evaluate(self, row: Row) -> bool | None:
        """Judge the statistics as they stand after the row."""
        self.reading = self._read()
        return self.reading.met

    def _read(self) -> Reading:
        value = self._statistic.get()
        if value is None:
            return Reading(None)
        if self._reference is None:
            return Reading(self.limits.are_broken_by(value), value)
        if isinstance(self._reference, RunningBest):
            # The best follows this check's own statistic, so nothing else feeds it.
            self._reference.update(value)
        reference = self._reference.get()
        if reference is None:
            return Reading(None, value)
        if reference == 0.0 or abs(reference) < self._reference_at_least:
            return Reading(False, value, reference)
        ratio = value / reference
        return Reading(self.limits.are_broken_by(ratio), value, reference, ratio)


class SignalCheck:
    """Asks whether a metric was logged as NaN or infinite, or as nothing.

    ``reading`` is the newest outcome; while the metric was never logged there is no signal.
    """

    def __init__(self, metric: str, label: str | None, limits: Limits) -> None:
        self.metric = metric
        self.label = label
        self.limits = limits
        self.window = 1
        self.reading = Reading(False)

    def wakes(self, row: Row) -> bool:
        """Return whether the row holds the metric in any form."""
        metric = self.metric
        return metric in row.values or metric in row.non_finite or metric in row.missing

    def evaluate(self, row: Row) -> bool | None:
        """Judge the row; without the metric in it the last answer stays."""
        if self.wakes(row):
            if self.limits.comparison is Comparison.NON_FINITE:
                value = row.non_finite.get(self.metric)
                self.reading = Reading(value is not None, value)
            else:
                self.reading = Reading(self.metric in row.missing)
        return self.reading.met


Check = ValueCheck | SignalCheck


class AllChecks:
    """False as soon as one part is, else unknown if one is, else true."""

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts

    def evaluate(self, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(row) for part in self.parts]
        return False if False in outcomes else None if None in outcomes else True


class AnyCheck:
    """True as soon as one part is, else unknown if every part is, else false."""

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts

    def evaluate(self, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(row) for part in self.parts]
        return True if True in outcomes else False if False in outcomes else None


class NotCheck:
    """The opposite of its part; unknown stays unknown."""

    def __init__(self, part: CompiledCondition) -> None:
        self.parts = (part,)

    def evaluate(self, row: Row) -> bool | None:
        """Judge the part and turn the answer round."""
        outcome = self.parts[0].evaluate(row)
        return None if outcome is None else not outcome


CompiledCondition = ValueCheck | SignalCheck | AllChecks | AnyCheck | NotCheck


def checks_in(condition: CompiledCondition) -> Iterator[Check]:
    """Yield the comparisons in a condition, in the order of the rule."""
    if isinstance(condition, ValueCheck | SignalCheck):
        yield condition
    else:
        for part in condition.parts:
            yield from checks_in(part)
