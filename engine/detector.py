"""One rule at work: its condition, its gate and its alert, fed row by row."""

from __future__ import annotations

from collections import deque

from post_training_toolkit.engine.alert import Alert, AlertState, Transition
from post_training_toolkit.engine.condition import Check, CompiledCondition, checks_in
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import Event, InsightClosed, InsightFired
from post_training_toolkit.rules.model import Comparison, Rule

_EVIDENCE_LENGTH = 10


class Detector:
    """Follows one rule through a run.

    ``observations`` counts the rows that woke it, ``judged`` those in which the condition had an
    answer and the gate was open.
    """

    def __init__(self, rule: Rule, condition: CompiledCondition, max_steps: int | None) -> None:
        self.rule = rule
        self.checks: tuple[Check, ...] = tuple(checks_in(condition))
        self.metrics = tuple(dict.fromkeys(check.metric for check in self.checks))
        self.observations = 0
        self.judged = 0
        self._condition = condition
        self._max_steps = max_steps
        self._alert = Alert(rule.required_observations, rule.keep_firing_for)
        self._primary = self.checks[0]
        self._worst: float | None = None
        # For each check the steps of its window and of one observation more: the oldest is the
        # newest step whose data have no part in what the check says.
        self._steps = tuple(deque[int](maxlen=check.window + 1) for check in self.checks)
        self._last_sound_step = 0
        self._evidence: dict[str, deque[tuple[int, float]]] = {
            metric: deque(maxlen=_EVIDENCE_LENGTH) for metric in self.metrics
        }

    def observe(self, step: int, row: Row) -> Event | None:
        """Judge the statistics after a row was fed to them; return what changed."""
        woken = [
            steps for check, steps in zip(self.checks, self._steps, strict=True) if check.wakes(row)
        ]
        if not woken:
            return None
        for steps in woken:
            steps.append(step)
        self.observations += 1
        self._keep_evidence(step, row)
        met = self._condition.evaluate(row)
        if not self._gate_is_open(step):
            return None
        self.judged += met is not None
        transition = self._alert.advance(step, met)
        if met:
            self._follow_episode()
        match transition:
            case Transition.FIRED:
                return self._fired(step)
            case Transition.RESOLVED:
                return self._closed(step, resolved=True)
            case Transition.NONE:
                return None

    def finish(self, step: int) -> Event | None:
        """Close an episode that is open when the run ends."""
        if self._alert.state is not AlertState.FIRING:
            return None
        self._alert.state = AlertState.RESOLVED
        return self._closed(step, resolved=False)

    def _keep_evidence(self, step: int, row: Row) -> None:
        for metric, evidence in self._evidence.items():
            if metric in row.values:
                evidence.append((step, row.values[metric]))

    def _gate_is_open(self, step: int) -> bool:
        gate = self.rule.gate
        if self.observations < gate.after_observations or step < gate.after_steps:
            return False
        return self._max_steps is None or step >= gate.after_fraction * self._max_steps

    def _follow_episode(self) -> None:
        if self._alert.held == 1:
            # What the message and the worst value speak of: the first comparison that holds.
            self._primary = next(
                (check for check in self.checks if check.reading.met), self.checks[0]
            )
            self._worst = None
            self._last_sound_step = self._find_last_sound_step()
        value = self._primary.reading.value
        if value is None:
            return
        match self._primary.limits.comparison:
            case Comparison.ABOVE:
                self._worst = value if self._worst is None else max(self._worst, value)
            case Comparison.BELOW:
                self._worst = value if self._worst is None else min(self._worst, value)
            case _:
                # Inside a band, or not finite, no direction is worse.
                self._worst = None

    def _find_last_sound_step(self) -> int:
        """Return the newest step from before the data of every comparison that holds."""
        holding = [
            steps[0] if len(steps) == steps.maxlen else 0
            for check, steps in zip(self.checks, self._steps, strict=True)
            if check.reading.met
        ]
        return min(holding, default=0)

    def _fired(self, step: int) -> InsightFired:
        rule, primary = self.rule, self._primary
        reading = primary.reading
        return InsightFired(
            insight=self._insight(),
            rule=rule.id,
            title=rule.title,
            severity=rule.severity,
            step=step,
            first_step=self._alert.first_step,
            last_sound_step=self._last_sound_step,
            metric=primary.metric,
            value=reading.value,
            reference=reading.reference,
            ratio=reading.ratio,
            threshold=primary.limits.text,
            message=self._message(step, primary),
            remediation=rule.remediation,
            citations=tuple(str(citation) for citation in rule.citations),
            threshold_origin=rule.threshold_origin,
            detects=rule.detects,
            evidence={metric: tuple(seen) for metric, seen in self._evidence.items() if seen},
        )

    def _message(self, step: int, primary: Check) -> str:
        reading = primary.reading
        labelled = {check.label: check.reading.value for check in self.checks if check.label}
        return self.rule.message.render(
            {
                **labelled,
                "value": reading.value,
                "threshold": primary.limits.text,
                "reference": reading.reference,
                "ratio": reading.ratio,
                "metric": primary.metric,
                "step": step,
                "window": primary.window,
            }
        )

    def _closed(self, step: int, *, resolved: bool) -> InsightClosed:
        alert = self._alert
        return InsightClosed(
            insight=self._insight(),
            rule=self.rule.id,
            severity=self.rule.severity,
            step=step,
            first_step=alert.first_step,
            last_step=alert.last_step,
            observations=alert.held,
            worst=self._worst,
            resolved=resolved,
        )

    def _insight(self) -> str:
        return f"{self.rule.id}#{self._alert.episode}"
