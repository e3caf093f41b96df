"""One rule at work: its condition, its gate and its alert, fed row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass

from post_training_toolkit.engine.age_check import AgeCheck
from post_training_toolkit.engine.alert import Alert, AlertState, Transition
from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.condition import (
    CompiledCondition,
    affirmed_checks,
    checks_in,
    holding_checks,
)
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
)
from post_training_toolkit.engine.history import History
from post_training_toolkit.engine.learning_rate import LearningRateTracker
from post_training_toolkit.engine.level import Level
from post_training_toolkit.engine.signal_check import SignalCheck
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class Telling:
    """What holds at one step: the metric that it is about, how bad it is, and the message."""

    metric: str
    severity: Severity
    message: str


class Detector:
    """Follows one rule through a run.

    ``name`` is the rule's id, for a rule with a glob with what the glob stands for in brackets.
    Nearly every row of nearly every rule says that nothing is wrong while nothing goes on. Where
    ``is_quiet`` and the condition does not hold, counting the row in ``passed`` is all there is to
    do; every other answer goes to ``follow``.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        name: str,
        condition: CompiledCondition,
        escalation: Level | None,
        history: History,
        max_steps: int | None,
        learning_rate: LearningRateTracker,
    ) -> None:
        self.rule = rule
        self.name = name
        self.checks: tuple[Check, ...] = tuple(checks_in(condition))
        self.metrics = rule.metrics
        every_check = (*self.checks, *(escalation.checks if escalation else ()))
        # Other rows tell the rule nothing new: a statistic looks at numbers only, a signal at the
        # metric in any form, and an age grows with every row.
        self.woken_by_numbers = frozenset(
            check.metric for check in every_check if not isinstance(check, SignalCheck)
        )
        self.woken_by_signals = frozenset(
            check.metric for check in every_check if isinstance(check, SignalCheck)
        )
        self.woken_by_every_row = any(isinstance(check, AgeCheck) for check in every_check)
        self.condition = condition
        self.passed = 0
        self._followed = 0
        self._answered = 0
        self._escalation = escalation
        self._affirmed = tuple(affirmed_checks(condition)) or self.checks
        self._history = history
        self._learning_rate = learning_rate
        self._first_step, self._last_step = _judged_steps(rule, max_steps)
        self._alert = Alert(rule.required_observations, rule.keep_firing_for, rule.cool_down)
        gate = rule.gate
        self._is_simple = self.is_quiet = (
            escalation is None
            and self._first_step <= 0
            and self._last_step == math.inf
            and not gate.after_observations
            and not gate.learning_rate_phases
        )
        # What the message and the worst value speak of: the first comparison that holds.
        self._primary = self._affirmed[0]
        self._severity = rule.severity
        self._worst: float | None = None
        self._last_sound_step = 0

    def follow(self, step: int, row: Row, met: bool | None) -> Event | None:
        """Take the answer of the condition for a row in; return what changed."""
        self._followed += 1
        alert = self._alert
        met, urgent = self._answer_of_both_levels(step, row, met)
        if met is False and alert.idle:
            return None
        transition = alert.advance(step, met, urgent=urgent)
        self.is_quiet = self._is_simple and alert.idle
        if met and not alert.idle:
            self._follow_episode(urgent)
        match transition:
            case Transition.FIRED:
                return self._fired(step, urgent)
            case Transition.RESOLVED:
                return self._closed(step, resolved=True)
            case Transition.NONE:
                return self._escalated(step) if urgent else None

    def holds_at(self, step: int) -> bool:
        """Whether an insight is open and the condition held at this, the newest step."""
        alert = self._alert
        return alert.state is AlertState.FIRING and alert.last_step == step

    def tell(self, step: int) -> Telling:
        """Say in words what holds at this, the newest step."""
        primary = next(holding_checks(self.condition), self._primary)
        return Telling(primary.metric, self._severity, self._message(step, primary))

    @property
    def observations(self) -> int:
        """How many rows woke the rule."""
        return self.passed + self._followed

    @property
    def judged(self) -> int:
        """In how many rows the condition had an answer and the gate was open."""
        return self.passed + self._answered

    def finish(self, step: int) -> Event | None:
        """Close an episode that is open when the run ends, or when the rule is taken out."""
        if self._alert.state is not AlertState.FIRING:
            return None
        self._alert.close()
        return self._closed(step, resolved=False)

    def _answer_of_both_levels(
        self, step: int, row: Row, met: bool | None
    ) -> tuple[bool | None, bool]:
        """Return whether the rule is met, and whether the second level has been for long enough."""
        escalation, urgent = self._escalation, False
        if escalation is not None:
            urgent = escalation.advance(step, row)
            met = escalation.met or met
        if self._gate_is_open(step):
            self._answered += met is not None
            return met, urgent
        if escalation is not None:
            escalation.reset()
        # Outside its gate nothing is wrong; an episode that is open there runs out.
        return False, False

    def _gate_is_open(self, step: int) -> bool:
        if not self._first_step <= step <= self._last_step:
            return False
        gate = self.rule.gate
        if self._followed < gate.after_observations:
            return False
        phases = gate.learning_rate_phases
        return not phases or self._learning_rate.phase in phases

    def _follow_episode(self, urgent: bool) -> None:
        if self._alert.held == 1:
            self._primary = next(holding_checks(self.condition), self._affirmed[0])
            if urgent and self._escalation is not None and not self._primary.met:
                self._primary = self._first_that_holds(self._escalation.checks)
            self._worst = None
            self._last_sound_step = self._find_last_sound_step()
        self._worst = self._primary.worse_of(self._worst)

    def _first_that_holds(self, checks: tuple[Check, ...]) -> Check:
        return next((check for check in checks if check.met), checks[0])

    def _find_last_sound_step(self) -> int:
        """Return the newest step from before the data of every comparison that holds."""
        holding = (check.last_sound_step() for check in holding_checks(self.condition))
        return min(holding, default=self._primary.last_sound_step())

    def _fired(self, step: int, urgent: bool) -> InsightFired:
        rule, primary = self.rule, self._primary
        self._severity = rule.severity
        if urgent and self._escalation is not None:
            self._severity = self._escalation.severity
            primary = self._first_that_holds(self._escalation.checks)
        message = self._message(step, primary)
        return InsightFired(
            insight=self._insight(),
            rule=rule.id,
            title=rule.title,
            severity=self._severity,
            step=step,
            first_step=self._alert.first_step,
            last_sound_step=self._last_sound_step,
            metric=primary.metric,
            value=primary.value,
            reference=primary.reference,
            ratio=primary.ratio,
            difference=primary.difference,
            threshold=primary.limits.text,
            message=message,
            caused_by=None,
            remediation=rule.remediation,
            citations=tuple(str(citation) for citation in rule.citations),
            threshold_origin=rule.threshold_origin,
            detects=rule.detects,
            evidence=self._history.evidence(self.metrics),
        )

    def _escalated(self, step: int) -> InsightEscalated | None:
        escalation = self._escalation
        firing = self._alert.state is AlertState.FIRING
        if not firing or escalation is None or self._severity is escalation.severity:
            return None
        self._severity = escalation.severity
        primary = self._first_that_holds(escalation.checks)
        message = self._message(step, primary)
        return InsightEscalated(
            insight=self._insight(),
            rule=self.rule.id,
            severity=self._severity,
            step=step,
            last_sound_step=self._last_sound_step,
            metric=primary.metric,
            value=primary.value,
            reference=primary.reference,
            ratio=primary.ratio,
            difference=primary.difference,
            threshold=primary.limits.text,
            message=message,
        )

    def _message(self, step: int, primary: Check) -> str:
        """Fill in the message; what is told is what the definitions of the statistics give."""
        for check in (*self.checks, primary):
            check.settle()
        labelled = {check.label: check.value for check in self.checks if check.label}
        return self.rule.message.render(
            {
                **labelled,
                "value": primary.value,
                "threshold": primary.limits.text,
                "reference": primary.reference,
                "ratio": primary.ratio,
                "difference": primary.difference,
                "metric": primary.metric,
                "step": step,
                "error": primary.error,
                "window": primary.window if primary.window is not None else "all",
            }
        )

    def _closed(self, step: int, *, resolved: bool) -> InsightClosed:
        alert = self._alert
        return InsightClosed(
            insight=self._insight(),
            rule=self.rule.id,
            severity=self._severity,
            step=step,
            first_step=alert.first_step,
            last_step=alert.last_step,
            observations=alert.held,
            worst=self._worst,
            resolved=resolved,
        )

    def _insight(self) -> str:
        return f"{self.name}#{self._alert.episode}"


def _judged_steps(rule: Rule, max_steps: int | None) -> tuple[float, float]:
    """Return the first and the last step at which the rule is judged in a run of that length."""
    gate = rule.gate
    first, last = float(gate.after_steps), math.inf
    if max_steps is not None:
        waiting = gate.after_fraction * max_steps
        if gate.after_at_most_steps is not None:
            waiting = min(waiting, gate.after_at_most_steps)
        first = max(first, waiting)
        if gate.until_fraction is not None:
            last = gate.until_fraction * max_steps
    if gate.until_steps is not None:
        last = min(last, gate.until_steps)
    return first, last
