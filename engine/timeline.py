"""Tells the events of a run as text: a line for each, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.event import (
    Episode,
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
    episodes,
)
from post_training_toolkit.engine.text_table import table
from post_training_toolkit.rules.severity import Severity


def timeline(events: Iterable[Event]) -> list[str]:
    """Return a line for each event: step, severity, what happens, insight and message."""
    rows = [_row(event) for event in events]
    return table([""] * 5, rows, left=5)[1:] if rows else []


def summary(events: Sequence[Event], not_judged: Sequence[NotRun]) -> list[str]:
    """Return how many insights there were, which lasted, and which rules could not judge."""
    found = episodes(events)
    lines = [_count(found)]
    lasting = [each.fired.insight for each in found if each.ongoing]
    if lasting:
        lines.append(f"not over at the end: {', '.join(lasting)}")
    if not_judged:
        lines.append("rules that could not judge this run:")
        lines += [f"  {each.rule}: {each.reason}" for each in not_judged]
    return lines


def _count(found: Sequence[Episode]) -> str:
    if not found:
        return "no insights"
    by_severity = Counter(each.severity for each in found)
    parts = [f"{by_severity[each]} {each}" for each in reversed(Severity) if by_severity[each]]
    plural = "" if len(found) == 1 else "s"
    folded = sum(each.caused_by is not None for each in found)
    consequences = f"; consequences of others: {folded}" if folded else ""
    return f"{len(found)} insight{plural}: {', '.join(parts)}{consequences}"


def _row(event: Event) -> list[str]:
    step = f"step {event.step}"
    match event:
        case InsightFired(insight=insight, severity=severity, message=message, caused_by=cause):
            because = "" if cause is None else f" (because of {cause})"
            return [step, str(severity), "fires", insight, message + because]
        case InsightEscalated(insight=insight, severity=severity, message=message):
            return [step, str(severity), "worsens", insight, message]
        case InsightFolded(insight=insight, caused_by=cause):
            return [step, "", "explained", insight, f"because of {cause}"]
        case InsightClosed(insight=insight, severity=severity, resolved=resolved):
            what = "resolves" if resolved else "lasts"
            return [step, str(severity), what, insight, _duration(event)]


def _duration(event: InsightClosed) -> str:
    times = "once" if event.observations == 1 else f"{event.observations} times"
    where = (
        f"at step {event.first_step}"
        if event.first_step == event.last_step
        else f"from step {event.first_step} to {event.last_step}"
    )
    return f"held {times} {where}"
