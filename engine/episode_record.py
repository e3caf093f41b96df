"""Turns episodes into plain data for JSON."""

from __future__ import annotations

import math
from typing import Any

from post_training_toolkit.engine.door import non_finite_word
from post_training_toolkit.engine.event import Episode


def episode_record(episode: Episode) -> dict[str, Any]:
    """Return what happened in an episode, without the evidence that insights.jsonl keeps."""
    fired = episode.fired
    return {
        "insight": fired.insight,
        "rule": fired.rule,
        "title": fired.title,
        "severity": episode.severity,
        "step": fired.step,
        "first_step": fired.first_step,
        "last_step": episode.last_step,
        "resolved": not episode.ongoing,
        "metric": fired.metric,
        "value": _word(fired.value),
        "threshold": fired.threshold,
        "message": episode.message,
        "detects": fired.detects,
        "caused_by": episode.caused_by,
        "remediation": fired.remediation,
        "citations": fired.citations,
    }


def _word(value: float | None) -> float | str | None:
    # JSON has no NaN; a reader must be able to tell it from a value that does not exist.
    return value if value is None or math.isfinite(value) else non_finite_word(value)
