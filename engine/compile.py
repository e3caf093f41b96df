"""Compiles validated rules into detectors for one run, over shared statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from river.stats import Link, Shift
from river.stats.base import Univariate

from post_training_toolkit.engine.condition import (
    AllChecks,
    AnyCheck,
    CompiledCondition,
    Limits,
    NotCheck,
    SignalCheck,
    ValueCheck,
)
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.statistics.baseline import Baseline
from post_training_toolkit.engine.statistics.registry import STATISTICS
from post_training_toolkit.engine.statistics.running_best import RunningBest
from post_training_toolkit.rules.expression import Expression
from post_training_toolkit.rules.model import (
    SIGNALS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    MetricCondition,
    Not,
    Reference,
    Rule,
    StatisticChoice,
    Threshold,
    Window,
)
from post_training_toolkit.rules.profile import load_profile

# The early level is the median of the first twentieth of the planned logs, within bounds.
_BASELINE_WINDOW = Window(at_least=5, at_most=50, fraction=0.05)


class NotApplicableError(Exception):
    """A rule that cannot run in this run; the text is the reason for the coverage note."""


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Detectors, the statistics that feed them by metric, and the rules that cannot run."""

    detectors: tuple[Detector, ...]
    statistics: Mapping[str, tuple[Univariate[float], ...]]
    not_run: tuple[NotRun, ...]


@dataclass(slots=True)
class Compiler:
    """Compiles rules for one run; equal statistics of equal metrics become one object."""

    run: RunDescription
    _values: dict[str, Any] = field(init=False)
    _shared: dict[tuple[str, ...], Univariate[float]] = field(init=False, default_factory=dict)
    _by_metric: dict[str, list[Univariate[float]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        profile = load_profile(self.run.trainer)
        # The argument may be a fraction, or mean nothing where logs are written by epoch; the
        # description has the number of steps, or None.
        configuration = {**self.run.configuration, "logging_steps": self.run.logging_steps}
        self._values = {**configuration, **profile.derive_configuration(configuration)}

    def compile(self, rules: Iterable[Rule]) -> CompiledRules:
        """Return the detectors of the rules that apply to this run."""
        detectors = []
        not_run = []
        for rule in rules:
            if rule.gate.trainers and self.run.trainer not in rule.gate.trainers:
                continue
            if not self._configuration_fits(rule):
                continue
            try:
                detectors.append(self._detector(rule))
            except NotApplicableError as reason:
                not_run.append(NotRun(rule.id, str(reason)))
        statistics = {metric: tuple(found) for metric, found in self._by_metric.items()}
        return CompiledRules(tuple(detectors), statistics, tuple(not_run))

    def _configuration_fits(self, rule: Rule) -> bool:
        for name, allowed in (rule.gate.where or {}).items():
            # An argument that is not known counts as null.
            value = self.run.configuration.get(name)
            values = value if isinstance(value, list) else [value]
            if not all(each in allowed for each in values):
                return False
        return True

    def _detector(self, rule: Rule) -> Detector:
        return Detector(rule, self._condition(rule.condition), self.run.max_steps)

    def _condition(self, condition: Condition) -> CompiledCondition:
        match condition:
            case AllOf(parts=parts):
                return AllChecks(tuple(self._condition(part) for part in parts))
            case AnyOf(parts=parts):
                return AnyCheck(tuple(self._condition(part) for part in parts))
            case Not(part=part):
                return NotCheck(self._condition(part))
            case MetricCondition():
                return self._check(condition)

    def _check(self, condition: MetricCondition) -> ValueCheck | SignalCheck:
        metric, threshold = condition.metric, condition.threshold
        limits = self._limits(threshold)
        if threshold.comparison in SIGNALS:
            return SignalCheck(metric, condition.label, limits)
        at_least = threshold.reference_at_least
        return ValueCheck(
            metric,
            condition.label,
            limits,
            statistic=self._statistic(metric, condition.statistic),
            window=condition.statistic.window.size(self.run.planned_logs),
            reference=self._reference(metric, threshold),
            reference_at_least=0.0 if at_least is None else self._number(at_least),
        )

    def _limits(self, threshold: Threshold) -> Limits:
        comparison = threshold.comparison
        bounds = [self._number(bound) for bound in threshold.bounds]
        shown = " and ".join(f"{bound:.4g}" for bound in bounds)
        relative = "" if threshold.relative_to is None else f" times {_name(threshold.relative_to)}"
        match comparison:
            case Comparison.ABOVE | Comparison.BELOW:
                text = f"{comparison} {shown}{relative}"
                return Limits(comparison, text, low=bounds[0], high=bounds[0])
            case Comparison.BETWEEN | Comparison.OUTSIDE:
                text = f"{comparison} {shown}{relative}"
                return Limits(comparison, text, low=bounds[0], high=bounds[1])
            case Comparison.EQUALS:
                around = 0.0 if threshold.tolerance is None else self._number(threshold.tolerance)
                text = f"within {around:.4g} of {shown}" if around else f"equal to {shown}"
                return Limits(comparison, text + relative, bounds[0] - around, bounds[0] + around)
            case Comparison.NON_FINITE:
                return Limits(comparison, "NaN or infinite")
            case Comparison.MISSING:
                return Limits(comparison, "logged as null")

    def _number(self, expression: Expression) -> float:
        value = expression.evaluate(self._values)
        if value is None:
            unknown = sorted(
                name
                for name in expression.names
                if not isinstance(self._values.get(name), (int, float))
            )
            what = f"{', '.join(unknown)} is not known" if unknown else "it has no finite value"
            raise NotApplicableError(
                f"its threshold needs {expression.text}, and {what} in this run"
            )
        return value

    def _reference(self, metric: str, threshold: Threshold) -> Univariate[float] | None:
        match threshold.relative_to:
            case None:
                return None
            case Reference.BASELINE:
                return self._share(
                    metric,
                    ("baseline",),
                    Baseline(_BASELINE_WINDOW.size(self.run.planned_logs)),
                )
            case Reference.RUNNING_BEST:
                # What is bad above was best at its lowest, and the other way round.
                return RunningBest(highest=threshold.comparison is Comparison.BELOW)
            case StatisticChoice() as choice:
                size = choice.window.size(self.run.planned_logs)
                before = Link(Shift(1), STATISTICS[choice.name](size))
                return self._share(metric, ("before", choice.name, str(size)), before)

    def _statistic(self, metric: str, choice: StatisticChoice) -> Univariate[float]:
        size = choice.window.size(self.run.planned_logs)
        return self._share(metric, (choice.name, str(size)), STATISTICS[choice.name](size))

    def _share(
        self, metric: str, key: tuple[str, ...], fresh: Univariate[float]
    ) -> Univariate[float]:
        """Return the statistic of this kind that the metric already has, or register this one."""
        statistic = self._shared.setdefault((metric, *key), fresh)
        if statistic is fresh:
            self._by_metric.setdefault(metric, []).append(fresh)
        return statistic


def _name(reference: Reference | StatisticChoice) -> str:
    match reference:
        case Reference.BASELINE:
            return "its baseline"
        case Reference.RUNNING_BEST:
            return "its best so far"
        case StatisticChoice(name=name):
            return f"the {name} before"
