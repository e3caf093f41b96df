"""Compiles validated rules into detectors for one run, over shared statistics."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from packaging.specifiers import SpecifierSet

from post_training_toolkit.engine.age_check import AgeCheck
from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.compile_threshold import (
    compile_limits,
    evaluate_number,
    window_size,
)
from post_training_toolkit.engine.condition import AllChecks, AnyCheck, CompiledCondition, NotCheck
from post_training_toolkit.engine.crash_check import CrashCheck
from post_training_toolkit.engine.death import PostMortem
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.history import History
from post_training_toolkit.engine.learning_rate import LearningRateTracker
from post_training_toolkit.engine.level import Level
from post_training_toolkit.engine.own_row_check import OwnRowCheck
from post_training_toolkit.engine.relative_check import RelativeCheck
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.shared_statistics import SharedStatistics
from post_training_toolkit.engine.signal_check import SignalCheck
from post_training_toolkit.engine.statistics.running_best import RunningBest
from post_training_toolkit.engine.value_check import ExactStatistic, ValueCheck
from post_training_toolkit.rules.advice import render_advice
from post_training_toolkit.rules.catalogue import AGENTS
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
    Threshold,
)
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.profile import load_profile

# How many of the newest observations make such a value bad; all others look back over their window.
_LOOKS_BACK = {"zscore": 1, "change": 1, "page_hinkley": 10, "adwin": 10}


@dataclass(slots=True)
class Compiler:
    """Compiles rules for one run; equal statistics of equal metrics become one object."""

    run: RunDescription
    statistics: SharedStatistics = field(init=False)
    history: History = field(init=False, default_factory=History)
    learning_rate: LearningRateTracker = field(init=False, default_factory=LearningRateTracker)
    post_mortem: PostMortem = field(init=False, default_factory=PostMortem)
    _values: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        profile = load_profile(self.run.trainer)
        # The argument may be a fraction, or mean nothing where logs are written by epoch; the
        # description has the number of steps, or None.
        configuration = {**self.run.configuration, "logging_steps": self.run.logging_steps}
        self._values = {**configuration, **profile.derive_configuration(configuration)}
        self.statistics = SharedStatistics(self.run.planned_logs)

    def applies(self, rule: Rule) -> bool:
        """Return whether the rule is meant for this trainer, TRL version and configuration."""
        gate = rule.gate
        if gate.trainers and self.run.trainer not in gate.trainers:
            return False
        version = self.run.trl_version
        if version is not None and not SpecifierSet(gate.trl).contains(version, prereleases=True):
            return False
        for name, allowed in (gate.where or {}).items():
            # An argument that is not known counts as null.
            value = self.run.configuration.get(name)
            values = value if isinstance(value, list) else [value]
            if not all(each in allowed for each in values):
                return False
        return True

    def detector(self, rule: Rule, name: str) -> Detector:
        """Return a detector of the rule; raises ``NotApplicableError`` if it cannot run."""
        condition = self._condition(rule.condition)
        level = None
        if rule.escalation is not None:
            level = Level(
                rule.escalation.severity,
                self._condition(rule.escalation.condition),
                rule.escalation.required_observations,
            )
        advice = tuple(render_advice(text, self._values) for text in rule.remediation)
        return Detector(
            replace(rule, remediation=advice),
            name=name,
            condition=condition,
            escalation=level,
            history=self.history,
            max_steps=self.run.max_steps,
            learning_rate=self.learning_rate,
        )

    def _condition(self, condition: Condition) -> CompiledCondition:
        match condition:
            case AllOf(parts=parts):
                return AllChecks(tuple(self._condition(part) for part in parts))
            case AnyOf(parts=parts):
                return AnyCheck(tuple(self._condition(part) for part in parts))
            case Not(part=part):
                return NotCheck(self._condition(part))
            case CrashCondition():
                return CrashCheck(condition, self.post_mortem)
            case MetricCondition():
                return self._check(condition)

    def _check(self, condition: MetricCondition) -> Check:
        metric, label, threshold = condition.metric, condition.label, condition.threshold
        choice = condition.statistic
        window = window_size(choice, self.run.planned_logs)
        limits = compile_limits(threshold, self._values, window)
        if threshold.comparison in SIGNALS:
            return SignalCheck(metric, label, limits)
        if choice.name == "age":
            return AgeCheck(metric, label, limits)
        looks_back = _LOOKS_BACK.get(choice.name, window or 1)
        self.history.keep(looks_back)
        statistic = self.statistics.statistic(metric, choice, self._values)
        if threshold.reference is None:
            alone = self.run.trainer == AGENTS and choice.name == "last"
            kind = OwnRowCheck if alone else ValueCheck
            return kind(metric, label, limits, window, statistic, self.history, looks_back)
        at_least = threshold.reference_at_least
        return RelativeCheck(
            metric,
            label,
            limits,
            window,
            statistic,
            self.history,
            looks_back,
            relation=threshold.relation,
            reference=self._reference(metric, threshold),
            reference_at_least=(
                0.0 if at_least is None else evaluate_number(at_least, self._values, window)
            ),
        )

    def _reference(self, metric: str, threshold: Threshold) -> ExactStatistic | RunningBest:
        match threshold.reference:
            case Reference.BASELINE:
                return self.statistics.baseline(metric)
            case Reference.RUNNING_BEST:
                # What is bad above was best at its lowest, and the other way round.
                return RunningBest(highest=threshold.comparison is Comparison.BELOW)
            case ReferenceStatistic(statistic=choice, metric=None):
                return self.statistics.statistic_before(metric, choice, self._values)
            case ReferenceStatistic(statistic=choice, metric=str() as other):
                return self.statistics.statistic(other, choice, self._values)
            case _:
                raise AssertionError(f"no reference {threshold.reference!r}")
