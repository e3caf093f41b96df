"""Reads and writes insights.jsonl: one event of an insight a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.door import non_finite_word
from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.rules.severity import Severity

_FIRED = "fired"
_ESCALATED = "escalated"
_FOLDED = "folded"
_RESOLVED = "resolved"
_STILL_FIRING = "still_firing"


def insight_line(event: Event) -> bytes:
    """Return the line of one event, with its newline; equal events give equal bytes.

    ``event`` is "fired", "escalated", "folded", "resolved", or "still_firing" for an episode open
    when the run ended.
    """
    data = {field.name: getattr(event, field.name) for field in fields(event)}
    match event:
        case InsightFired():
            kind = _FIRED
        case InsightEscalated():
            kind = _ESCALATED
        case InsightFolded():
            kind = _FOLDED
        case InsightClosed():
            kind = _RESOLVED if data.pop("resolved") else _STILL_FIRING
    words = {name: _word(value) for name, value in data.items()}
    return orjson.dumps({"event": kind, **words}, option=orjson.OPT_APPEND_NEWLINE)


def read_insights(path: Path) -> Iterator[Event]:
    """Yield the events of an insights file; a torn last line ends it."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _event(orjson.loads(line))


def _word(value: Any) -> Any:
    # JSON has no NaN; a reader must be able to tell it from a value that does not exist.
    is_non_finite = isinstance(value, float) and not math.isfinite(value)
    return non_finite_word(value) if is_non_finite else value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, str) else value


def _event(data: dict[str, Any]) -> Event:
    kind = data.pop("event")
    if kind == _FOLDED:
        return InsightFolded(**data)
    data["severity"] = Severity(data["severity"])
    for name in ("value", "reference", "ratio", "difference", "worst"):
        if name in data:
            data[name] = _number(data[name])
    if kind == _ESCALATED:
        return InsightEscalated(**data)
    if kind != _FIRED:
        return InsightClosed(**data, resolved=kind == _RESOLVED)
    for name in ("remediation", "citations", "detects"):
        data[name] = tuple(data[name])
    data["evidence"] = {
        metric: tuple((step, value) for step, value in seen)
        for metric, seen in data["evidence"].items()
    }
    return InsightFired(**data)
