"""What the engine tells: insights that fire and close, and the episodes they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class InsightFired:
    """An episode of trouble has lasted long enough to be told.

    ``insight`` is its stable id, ``first_step`` where the condition began to hold, ``step`` where
    it fired, and ``last_sound_step`` the newest logged step whose data had no part in it (0 for
    none). ``value`` is the statistic of ``metric``, ``reference`` what it was divided by to give
    ``ratio``, if the threshold is relative. ``evidence`` holds the newest observations of each
    metric of the rule as (step, value).
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
    threshold: str
    message: str
    remediation: tuple[str, ...]
    citations: tuple[str, ...]
    threshold_origin: str
    detects: tuple[str, ...]
    evidence: Mapping[str, tuple[tuple[int, float], ...]]


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


Event = InsightFired | InsightClosed


@dataclass(frozen=True, slots=True)
class Episode:
    """One insight from beginning to end; ``closed`` is None while the run goes on."""

    fired: InsightFired
    closed: InsightClosed | None

    @property
    def ongoing(self) -> bool:
        """Whether the trouble had not gone away."""
        return self.closed is None or not self.closed.resolved


def episodes(events: Iterable[Event]) -> list[Episode]:
    """Fold events into episodes, worst severity first, then in order of firing."""
    found: dict[str, Episode] = {}
    for event in events:
        match event:
            case InsightFired(insight=insight):
                found[insight] = Episode(event, None)
            case InsightClosed(insight=insight):
                found[insight] = Episode(found[insight].fired, event)
    return sorted(found.values(), key=lambda each: -each.fired.severity.rank)
