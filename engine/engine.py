"""The pure engine: rows in, events out; no clock, no disk, no print."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.compile import Compiler
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun, reason_not_judged
from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.detectors import Detectors
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.feeds import PairFeed
from post_training_toolkit.engine.inhibition import Inhibition
from post_training_toolkit.engine.judging import judge
from post_training_toolkit.engine.routes import (
    PreparedFeed,
    Routes,
    detector_part,
    feed_part,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.profile import load_profile
from post_training_toolkit.rules.relations import root_causes

# How a run ends is a metric like any other, so that a rule can speak of it.
_ENDED = admit({"exception": 0.0})
_DIED = admit({"exception": 1.0})
# Training, evaluation, a summary: a step has a handful of rows. More are not compared.
_MOST_ROWS_OF_A_STEP = 20


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
        rules = tuple(rules)
        compiler = Compiler(run)
        self._containment = containment or Containment()
        self._failures_known = len(self._containment.failures)
        self._canonicalizer = Canonicalizer(load_profile(run.trainer), run.configuration)
        self._learning_rate = compiler.learning_rate
        self._history = compiler.history
        self._post_mortem = compiler.post_mortem
        self._detectors = Detectors(rules, compiler)
        self._routes = Routes(self._detectors, compiler.statistics)
        self._inhibition = Inhibition(root_causes(rules))
        self._step: int | None = None
        self._rows_of_step: deque[Row] = deque(maxlen=_MOST_ROWS_OF_A_STEP)

    def observe(self, step: int, row: Row) -> tuple[Event, ...]:
        """Take one logged row in and return what it changed, in the order of the rules.

        A row that was logged before at the same step says nothing new and is left out.
        """
        if step != self._step:
            self._step = step
            self._rows_of_step.clear()
        elif row in self._rows_of_step:
            return ()
        self._rows_of_step.append(row)
        row = self._canonicalizer.canonical(row)
        self._learning_rate.update(row)
        route = self._routes.route(row)
        self._history.remember(route.shape, step, row.values)
        contain = self._containment.run_each
        contain(route.feeds, _feed, lambda feed: feed_part([feed[0]]), row.values)
        if route.pair_feeds:
            contain(route.pair_feeds, _feed_pairs, lambda feed: feed_part(feed.metrics), row)
        closed: list[Event] = []
        if len(self._containment.failures) != self._failures_known:
            closed = self._take_out_failed(step)
            route = self._routes.route(row)
        events: list[Event] = []
        contain(route.detectors, judge, lambda pair: detector_part(pair[0]), step, row, events)
        if len(self._containment.failures) != self._failures_known:
            closed += self._take_out_failed(step)
        if not events and not closed:
            return ()
        return self._inhibition.fold([*events, *closed], step)

    def finish(self, step: int) -> tuple[Event, ...]:
        """Close the episodes that are still open at the end of the run."""
        seen = self.observe(step, _ENDED)
        closed: list[Event] = []
        parts = tuple(self._detectors.active)
        self._containment.run_each(parts, _finish, detector_part, step, closed)
        return (*seen, *self._inhibition.fold(closed, step))

    def die(self, step: int, death: Death | None = None) -> tuple[Event, ...]:
        """Take in that the run has died, and how if that is known; open episodes stay open."""
        self._post_mortem.death = death
        return self.observe(step, _DIED)

    def holding(self, step: int) -> list[Detector]:
        """Return the detectors with an open insight whose condition held at this, the newest step.

        Rows that have nothing to do with each other, such as episodes of agents, are told one by
        one by this; events tell only where a stretch of them begins and ends.
        """
        active = self._detectors.active
        return [each for each in active if not each.is_quiet and each.holds_at(step)]

    @property
    def rules_judged(self) -> int:
        """How many rules have given at least one answer."""
        return len({each.rule.id for each in self._detectors.active if each.judged > 0})

    def coverage(self) -> tuple[NotRun, ...]:
        """Return the rules for this trainer that have not been able to judge anything."""
        silent = []
        for detector in self._detectors.active:
            reason = reason_not_judged(detector, frozenset(self._routes.logged))
            if reason is not None:
                silent.append(NotRun(detector.name, reason))
        return (*self._detectors.not_run, *silent, *self._detectors.unmatched())

    def _take_out_failed(self, step: int) -> list[Event]:
        """Take the rules out that failed, or whose statistics did; close their episodes."""
        failures = self._containment.failures
        closed: list[Event] = []
        for part in list(failures)[self._failures_known :]:
            for detector in self._routes.depending_on(part):
                self._detectors.take_out(detector, f"it failed inside: {failures[part].error}")
                event = self._containment.run(f"end of {part}", detector.finish, step)
                if event is not None:
                    closed.append(event)
        self._failures_known = len(failures)
        self._routes.forget()
        return closed


def _feed(feeds: Iterator[PreparedFeed], values: Mapping[str, float]) -> None:
    for metric, updates in feeds:
        x = values[metric]
        for update in updates:
            update(x)


def _feed_pairs(feeds: Iterator[PairFeed], row: Row) -> None:
    for feed in feeds:
        x, y = (row.values[metric] for metric in feed.metrics)
        for update in feed.updates:
            update(x, y)


def _finish(detectors: Iterator[Detector], step: int, events: list[Event]) -> None:
    for detector in detectors:
        event = detector.finish(step)
        if event is not None:
            events.append(event)
