"""One episode of a loss that jumps, for the tests of what is told of it."""

from __future__ import annotations

from post_training_toolkit.engine.event import InsightClosed, InsightEscalated, InsightFired
from post_training_toolkit.rules.severity import Severity

FIRED = InsightFired(
    insight="loss_spike#1",
    rule="loss_spike",
    title="The loss jumps",
    severity=Severity.MEDIUM,
    step=31,
    first_step=31,
    last_sound_step=20,
    metric="loss",
    value=9.0,
    reference=None,
    ratio=None,
    difference=None,
    threshold="above 10",
    message="Loss jumps to 9 at step 31",
    caused_by=None,
    remediation=("Look at the batch.",),
    citations=("Ann (2024)",),
    threshold_origin="empirical",
    detects=("loss_spike",),
    evidence={},
)
CLOSED = InsightClosed("loss_spike#1", "loss_spike", Severity.MEDIUM, 36, 31, 31, 1, 9.0, True)
ESCALATED = InsightEscalated(
    insight="loss_spike#1",
    rule="loss_spike",
    severity=Severity.HIGH,
    step=33,
    last_sound_step=20,
    metric="loss",
    value=90.0,
    reference=None,
    ratio=None,
    difference=None,
    threshold="above 50",
    message="Loss is at 90",
)
