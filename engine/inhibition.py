"""Shows a root cause once, with its consequences folded under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)


class Inhibition:
    """Marks insights as consequences of open insights of the rules that cause them.

    ``causes`` maps the id of a rule to the ids of the rules that can cause it.
    """

    def __init__(self, causes: Mapping[str, frozenset[str]]) -> None:
        self._causes = causes
        # Open insights in order of firing, each with its rule.
        self._open: dict[str, str] = {}
        self._folded: set[str] = set()

    def fold(self, events: Iterable[Event], step: int) -> tuple[Event, ...]:
        """Return the events of one step with the consequences among them marked.

        A consequence that fired before its cause is folded when the cause fires.
        """
        events = [event for event in events if self._is_known(event)]
        fired = {event.insight: event.rule for event in events if isinstance(event, InsightFired)}
        earlier = dict(self._open)
        self._open.update(fired)
        marked = [self._mark(event) for event in events]
        late = [
            InsightFolded(insight, rule, step, cause)
            for insight, rule in earlier.items()
            if insight not in self._folded and (cause := self._cause_among(rule, fired)) is not None
        ]
        self._folded.update(event.insight for event in late)
        for event in events:
            if isinstance(event, InsightClosed):
                self._open.pop(event.insight, None)
                self._folded.discard(event.insight)
        return (*marked, *late)

    def _is_known(self, event: Event) -> bool:
        # A rule that fails while it fires is closed without anybody having heard of its insight.
        return isinstance(event, InsightFired) or event.insight in self._open

    def _mark(self, event: Event) -> Event:
        match event:
            case InsightFired(insight=insight, rule=rule):
                cause = self._cause_among(rule, self._open)
                if cause is None:
                    return event
                self._folded.add(insight)
                return replace(event, caused_by=cause)
            case InsightEscalated() | InsightFolded() | InsightClosed():
                return event

    def _cause_among(self, rule: str, insights: Mapping[str, str]) -> str | None:
        causes = self._causes.get(rule)
        if not causes:
            return None
        return next((insight for insight, of in insights.items() if of in causes), None)
