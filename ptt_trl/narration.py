"""Puts what happens to a run into the few things that a person is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.engine.event import (
    Episode,
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.rules.severity import Severity

# Episodes of one rule that are told one by one; the report has them all.
EPISODES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """An insight that fired or rose; remedies and sources only when its rule is told first."""

    headline: str
    severity: Severity
    message: str
    rule: str
    remediation: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Closing:
    """How the run ended: ``counts`` of root causes by severity, worst first.

    ``early_end`` says how a stop went or what the run died of, None if it ended as it should;
    ``report`` is None if it could not be written.
    """

    status: str
    step: int
    counts: tuple[tuple[Severity, int], ...]
    early_end: str | None
    report: Path | None

    @property
    def insights(self) -> str:
        """The counts in words."""
        total = sum(count for _, count in self.counts)
        if not total:
            return "no insights"
        parts = ", ".join(f"{count} {severity}" for severity, count in self.counts)
        return f"{total} insight{'' if total == 1 else 's'}: {parts}"

    @property
    def where(self) -> str:
        """Where the report is, in words."""
        return f"report: {self.report}" if self.report else "the report could not be written"


class Narrator:
    """Tells each insight once, and no rule more often than a person wants to read.

    A consequence of an insight that is told is not: it would say the same again. After
    ``EPISODES_TOLD`` episodes of one rule only a rise to a severity not told before is.
    """

    def __init__(self) -> None:
        # How many episodes of each rule fired, and at which severities it was told.
        self._fired: Counter[str] = Counter()
        self._told: set[tuple[str, Severity]] = set()
        self._consequences: set[str] = set()
        # Insights beyond the bound on episodes.
        self._muted: set[str] = set()

    def open(self, start: RunStart) -> Remark:
        """Greet the user."""
        files = f"files in {start.directory}"
        if start.trainer is None:
            note = "its trainer is not known, so only the rules for every trainer apply"
            return Remark(f"watching this run; {note}; {files}")
        again = f"resumed at step {start.resumed_at}; " if start.resumed_at is not None else ""
        return Remark(f"watching this {start.trainer.upper()} run; {again}{files}")

    def tell(self, event: Event) -> Alarm | Remark | None:
        """Return what to tell of an event; None for nothing."""
        match event:
            case InsightFired(caused_by=str()):
                self._consequences.add(event.insight)
                return None
            case _ if event.insight in self._consequences:
                return None
            case InsightFired():
                return self._fire(event)
            case InsightEscalated():
                return self._escalate(event)
            case _ if event.insight in self._muted:
                return None
            case InsightFolded():
                self._consequences.add(event.insight)
                return Remark(f"{event.rule} follows from {event.caused_by}")
            case InsightClosed(resolved=True):
                held = f"it held from step {event.first_step} to {event.last_step}"
                return Remark(f"resolved at step {event.step}: {event.rule} ({held})")
            case InsightClosed():
                return Remark(f"{event.rule} still held when the run ended")

    def close(self, ending: RunEnding) -> Closing:
        """Sum the run up."""
        counts = _by_severity(ending.episodes)
        return Closing(ending.status, ending.step, counts, _early_end(ending), ending.report)

    def _fire(self, event: InsightFired) -> Alarm | Remark | None:
        self._fired[event.rule] += 1
        episode = self._fired[event.rule]
        if episode > EPISODES_TOLD:
            self._muted.add(event.insight)
            again = f"{event.rule} fires again at step {event.step}"
            told = Remark(f"{again}; from here on only the report lists its insights")
            return told if episode == EPISODES_TOLD + 1 else None
        self._told.add((event.rule, event.severity))
        background = (event.remediation, event.citations) if episode == 1 else ()
        headline = f"{event.severity.upper()} at step {event.step}"
        return Alarm(headline, event.severity, event.message, event.rule, *background)

    def _escalate(self, event: InsightEscalated) -> Alarm | None:
        if event.insight in self._muted and (event.rule, event.severity) in self._told:
            return None
        # Its end is told as well then.
        self._muted.discard(event.insight)
        self._told.add((event.rule, event.severity))
        headline = f"now {event.severity.upper()} at step {event.step}"
        return Alarm(headline, event.severity, event.message, event.rule)


def _early_end(ending: RunEnding) -> str | None:
    if ending.postmortem is not None:
        cause = ending.error or "nobody saw of what"
        return f"The run died: {cause}; post-mortem: {ending.postmortem}"
    return None if ending.stop is None else str(ending.stop)


def _by_severity(found: Iterable[Episode]) -> tuple[tuple[Severity, int], ...]:
    counts = Counter(episode.severity for episode in found if episode.caused_by is None)
    return tuple(
        (severity, counts[severity]) for severity in reversed(Severity) if counts[severity]
    )
