"""The pure engine: rows in, events out; no clock, no disk, no print."""

from __future__ import annotations

from collections.abc import Iterable

from post_training_toolkit.engine.canonical import canonical_row
from post_training_toolkit.engine.compile import Compiler
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun, reason_not_judged
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.profile import load_profile


class Engine:
    """Diagnoses one run: feed it every logged row in order, then ``finish``.

    A rule that fails is taken out, recorded in ``containment`` and shown in ``coverage``.

    >>> from post_training_toolkit.engine.door import admit
    >>> from post_training_toolkit.rules.bundle import load_bundle
    >>> from post_training_toolkit.rules.sources import default_sources
    >>> engine = Engine(load_bundle(default_sources()).rules, RunDescription("dpo"))
    >>> [event.rule for event in engine.observe(7, admit({"loss": 0.0, "grad_norm": float("nan")}))]
    ['nan_hidden_by_filter']
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        run: RunDescription,
        containment: Containment | None = None,
    ) -> None:
        compiled = Compiler(run).compile(rules)
        self._containment = containment or Containment()
        self._profile = load_profile(run.trainer)
        self._configuration = run.configuration
        self._statistics = compiled.statistics
        self._detectors = list(compiled.detectors)
        self._not_run = list(compiled.not_run)
        self._by_metric: dict[str, list[Detector]] = {}
        for detector in self._detectors:
            for metric in detector.metrics:
                self._by_metric.setdefault(metric, []).append(detector)
        self._logged: set[str] = set()

    def observe(self, step: int, row: Row) -> tuple[Event, ...]:
        """Take one logged row in and return what it changed, in the order of the rules."""
        row = canonical_row(row, self._profile, self._configuration)
        keys = (*row.values, *row.non_finite, *row.missing)
        self._logged.update(keys)
        for metric, value in row.values.items():
            if metric in self._statistics:
                part = f"statistics of {metric}"
                self._containment.run(part, self._feed, metric, value)
                if part in self._containment.failures:
                    self._take_out(self._by_metric.get(metric, []), part)
        touched = {id(each) for key in keys for each in self._by_metric.get(key, ())}
        events = []
        for detector in [each for each in self._detectors if id(each) in touched]:
            part = f"rule {detector.rule.id}"
            event = self._containment.run(part, detector.observe, step, row)
            if event is not None:
                events.append(event)
            if part in self._containment.failures:
                self._take_out([detector], part)
        return tuple(events)

    def finish(self, step: int) -> tuple[Event, ...]:
        """Close the episodes that are still open at the end of the run."""
        closed = (detector.finish(step) for detector in self._detectors)
        return tuple(event for event in closed if event is not None)

    @property
    def rules_judged(self) -> int:
        """How many rules have given at least one answer."""
        return sum(detector.judged > 0 for detector in self._detectors)

    def coverage(self) -> tuple[NotRun, ...]:
        """Return the rules for this trainer that have not been able to judge anything."""
        logged = frozenset(self._logged)
        silent = []
        for detector in self._detectors:
            reason = reason_not_judged(detector, logged)
            if reason is not None:
                silent.append(NotRun(detector.rule.id, reason))
        return (*self._not_run, *silent)

    def _feed(self, metric: str, value: float) -> None:
        for statistic in self._statistics[metric]:
            statistic.update(value)

    def _take_out(self, detectors: Iterable[Detector], part: str) -> None:
        error = self._containment.failures[part].error
        for detector in detectors:
            if detector in self._detectors:
                self._detectors.remove(detector)
                self._not_run.append(NotRun(detector.rule.id, f"it failed inside: {error}"))
