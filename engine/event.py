"""What the engine tells: insights that fire and close, and the episodes they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class InsightFired:
    """An episode of trouble has lasted long enough to be told.

    ``insight`` is its stable id, ``first_step`` where the condition began to hold, ``step`` where
    it fired, and ``last_sound_step`` the newest logged step whose data had no part in it (0 for
    none). ``value`` is the statistic of ``metric``, ``reference`` what it was set against to give
    ``ratio`` or ``difference``, if the threshold is relative. ``caused_by`` is the insight of which
    this one is a consequence. ``evidence`` holds the newest observations of each metric of the rule
    as (step, value).
    """

    insight: str
    rule: str
    title: str
    severity: Severity
    step: int
    first_step: int
    last_sound_step: int
    metric: str
    value: float | None
    reference: float | None
    ratio: float | None
    difference: float | None
    threshold: str
    message: str
    caused_by: str | None
    remediation: tuple[str, ...]
    citations: tuple[str, ...]
    threshold_origin: str
    detects: tuple[str, ...]
    evidence: Mapping[str, tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True)
class InsightEscalated:
    """An open insight has reached the second level of its rule; the fields are those of firing."""

    insight: str
    rule: str
    severity: Severity
    step: int
    last_sound_step: int
    metric: str
    value: float | None
    reference: float | None
    ratio: float | None
    difference: float | None
    threshold: str
    message: str


@dataclass(frozen=True, slots=True)
class InsightFolded:
    """An open insight has turned out to be a consequence of another one, ``caused_by``."""

    insight: str
    rule: str
    step: int
    caused_by: str


@dataclass(frozen=True, slots=True)
class InsightClosed:
    """An episode is over, or was still open when the run ended (``resolved`` False).

    ``last_step`` is where the condition held last, ``observations`` how often it held, ``worst``
    its worst value, None where no direction is worse.
    """

    insight: str
    rule: str
    severity: Severity
    step: int
    first_step: int
    last_step: int
    observations: int
    worst: float | None
    resolved: bool


Event = InsightFired | InsightEscalated | InsightFolded | InsightClosed


@dataclass(frozen=True, slots=True)
class Episode:
    """One insight from beginning to end; ``closed`` is None while the run goes on.

    ``escalated`` is its rise to the second level; ``caused_by`` the insight it is folded under.
    """

    fired: InsightFired
    escalated: InsightEscalated | None = None
    closed: InsightClosed | None = None
    caused_by: str | None = None

    @property
    def ongoing(self) -> bool:
        """Whether the trouble had not gone away."""
        return self.closed is None or not self.closed.resolved

    @property
    def severity(self) -> Severity:
        """The highest severity that the insight reached."""
        return self.fired.severity if self.escalated is None else self.escalated.severity

    @property
    def message(self) -> str:
        """What was said last."""
        return self.fired.message if self.escalated is None else self.escalated.message

    @property
    def last_step(self) -> int:
        """The last step at which it is known to have held."""
        if self.closed is not None:
            return self.closed.last_step
        return self.fired.step if self.escalated is None else self.escalated.step


def episodes(events: Iterable[Event]) -> list[Episode]:
    """Fold events into episodes, worst severity first, then in order of firing."""
    found: dict[str, Episode] = {}
    for event in events:
        match event:
            case InsightFired(insight=insight, caused_by=cause):
                found[insight] = Episode(event, caused_by=cause)
            case InsightEscalated(insight=insight):
                found[insight] = replace(found[insight], escalated=event)
            case InsightFolded(insight=insight, caused_by=cause):
                found[insight] = replace(found[insight], caused_by=cause)
            case InsightClosed(insight=insight):
                found[insight] = replace(found[insight], closed=event)
    return sorted(found.values(), key=lambda each: -each.severity.rank)
