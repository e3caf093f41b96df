"""Says conditions, gates and times of rules in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from post_training_toolkit.engine.page import Item
from post_training_toolkit.rules.condition import (
    SIGNALS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    MetricCondition,
    Not,
    Reference,
    ReferenceStatistic,
    Relation,
    StatisticChoice,
    Threshold,
    WholeRun,
    Window,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.model import ConfigurationValue, Gate

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "mean": "the mean",
        "std": "the standard deviation",
        "min": "the lowest value",
        "max": "the highest value",
        "median": "the median",
        "iqr": "the interquartile range",
        "range": "the range",
        "ewmean": "the exponentially weighted mean",
        "slope": "the slope per observation",
        "trend": "the trend statistic",
        "zscore": "the robust z-score",
    }
)


def condition_items(condition: Condition, depth: int = 0) -> Iterator[Item]:
    """Yield a condition as the lines of a nested list."""
    match condition:
        case MetricCondition():
            yield Item(comparison_words(condition), depth)
        case AllOf(parts=parts):
            yield Item("all of these hold:", depth)
            for part in parts:
                yield from condition_items(part, depth + 1)
        case AnyOf(parts=parts):
            yield Item("at least one of these holds:", depth)
            for part in parts:
                yield from condition_items(part, depth + 1)
        case Not(part=part):
            yield Item("this does not hold:", depth)
            yield from condition_items(part, depth + 1)
        case CrashCondition():
            yield Item("the run dies, and every fact given here holds of it:", depth)
            yield from _crash_items(condition, depth + 1)


def _crash_items(condition: CrashCondition, depth: int) -> Iterator[Item]:
    if condition.text:
        yield Item("what it said last matches one of these patterns:", depth)
        for pattern in condition.text:
            yield Item(f"`{pattern}`", depth + 1)
    for what, values in (
        ("exit reason", condition.exit_reasons),
        ("signal", condition.signals),
        ("exit code", condition.exit_codes),
    ):
        if values:
            yield Item(f"the {what} is {' or '.join(f'`{value}`' for value in values)}", depth)


def comparison_words(condition: MetricCondition) -> str:
    """Say one comparison as a sentence without its full stop."""
    threshold = condition.threshold
    if threshold.comparison in SIGNALS:
        return f"`{condition.metric}` {threshold_words(threshold)}"
    value = _value_words(condition.statistic, f"`{condition.metric}`")
    if threshold.reference is not None:
        how = "divided by" if threshold.relation is Relation.RATIO else "minus"
        value += f", {how} {_reference_words(threshold.reference)},"
    words = f"{value} {threshold_words(threshold)}"
    if threshold.reference_at_least is not None:
        words += f" (not judged while that reference is below {threshold.reference_at_least.text})"
    return words


def threshold_words(threshold: Threshold) -> str:
    """Say what a threshold calls bad, as the end of a sentence."""
    bounds = [f"`{bound.text}`" for bound in threshold.bounds]
    match threshold.comparison:
        case Comparison.ABOVE | Comparison.BELOW:
            return f"is {threshold.comparison} {bounds[0]}"
        case Comparison.BETWEEN | Comparison.OUTSIDE:
            return f"is {threshold.comparison} {bounds[0]} and {bounds[1]}"
        case Comparison.EQUALS:
            around = f" within `{threshold.tolerance.text}`" if threshold.tolerance else ""
            return f"equals {bounds[0]}{around}"
        case Comparison.NON_FINITE:
            return "is logged as NaN or infinite"
        case Comparison.MISSING:
            return "is logged as null"


def gate_items(gate: Gate) -> Iterator[Item]:
    """Yield when a rule applies at all, as the lines of a list."""
    trainers = ", ".join(sorted(gate.trainers))
    yield Item(f"in runs of {trainers}" if trainers else "in runs of every trainer")
    for name, values in (gate.where or {}).items():
        yield Item(f"where `{name}` is {' or '.join(map(_setting_words, values))}")
    if gate.trl:
        yield Item(f"with TRL {gate.trl}")
    if gate.learning_rate_phases:
        phases = " or ".join(sorted(gate.learning_rate_phases))
        yield Item(f"while the learning rate is in its phase of {phases}")
    if gate.after_observations:
        yield Item(f"from observation {gate.after_observations} of its metrics on")
    if gate.after_steps:
        yield Item(f"from step {gate.after_steps} on")
    if gate.after_fraction:
        bound = gate.after_at_most_steps
        latest = f", from step {bound} on at the latest" if bound is not None else ""
        yield Item(f"after {_percent(gate.after_fraction)} of the planned steps{latest}")
    if gate.until_steps is not None:
        yield Item(f"until step {gate.until_steps}")
    if gate.until_fraction is not None:
        yield Item(f"until {_percent(gate.until_fraction)} of the planned steps")


def _value_words(choice: StatisticChoice, metric: str) -> str:
    window = _window_words(choice.window)
    match choice.name:
        case "last":
            return f"the newest {metric}"
        case "change":
            return f"the change of {metric} from one observation to the next"
        case "age":
            return f"the number of steps since {metric} was last logged"
        case "quantile":
            return f"the {choice.parameters.get('q')} quantile of {metric} over {window}"
        case "fraction" if choice.holds is not None:
            counted = threshold_words(choice.holds)
            return f"the share of {window} in which {metric} {counted}"
        case "correlation":
            changes = "" if choice.parameters.get("levels") else "the changes of "
            other = f"`{choice.other_metric}`"
            return f"the correlation of {changes}{metric} and {other} over {window}"
        case "page_hinkley" | "adwin":
            direction = choice.parameters.get("direction", "up")
            against = _window_words(choice.window, "first")
            return f"the change of level ({choice.name}, {direction}) of {metric} from {against}"
        case name:
            return f"{_NAMES.get(name, f'`{name}`')} of {metric} over {window}"


def _window_words(window: Window | WholeRun, which: str = "last") -> str:
    if isinstance(window, WholeRun):
        return "the whole run"
    if window.fraction is None:
        return f"the {which} {window.at_least} observations"
    bounds = f"{window.at_least} to {window.at_most}"
    return f"the {which} {_percent(window.fraction)} of the planned observations ({bounds} of them)"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _reference_words(reference: Reference | ReferenceStatistic) -> str:
    match reference:
        case Reference.BASELINE:
            return "its level early in the run"
        case Reference.RUNNING_BEST:
            return "its best so far"
        case ReferenceStatistic(statistic=statistic, metric=None):
            return f"{_value_words(statistic, 'the same metric')} before the newest"
        case ReferenceStatistic(statistic=statistic, metric=metric):
            return _value_words(statistic, f"`{metric}`")


def _setting_words(value: ConfigurationValue) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return str(value)
        case _:
            return f"`{value}`"
