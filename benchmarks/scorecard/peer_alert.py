"""An alert of another tool as an episode, so that it is scored as an insight of ours is."""

from __future__ import annotations

from post_training_toolkit.engine.event import Episode, InsightFired
from post_training_toolkit.rules.severity import Severity


def alert_as_episode(
    detector: str, step: int, severity: Severity, detects: tuple[str, ...], message: str
) -> Episode:
    """Return an alert as an episode of one step.

    Every alert that a tool sends is one, repeated ones too, since each asks for attention.

    >>> alert_as_episode("loss_nan", 7, Severity.HIGH, ("nonfinite_values",), "NaN").last_step
    7
    """
    fired = InsightFired(
        insight=f"{detector}@{step}",
        rule=detector,
        title=detector,
        severity=severity,
        step=step,
        first_step=step,
        last_sound_step=0,
        metric="",
        value=None,
        reference=None,
        ratio=None,
        difference=None,
        threshold="",
        message=message,
        caused_by=None,
        remediation=(),
        citations=(),
        threshold_origin="",
        detects=detects,
        evidence={},
    )
    return Episode(fired)
