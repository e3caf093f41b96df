"""What is shown while a run is alive is short and complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from post_training_toolkit.engine.event import InsightClosed, InsightFired
from post_training_toolkit.ptt_trl.console import Console
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


def test_remedies_and_sources_are_told_at_the_first_episode_of_a_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console()
    console.show(FIRED)
    console.show(CLOSED)
    console.show(replace(FIRED, insight="loss_spike#2", step=50, message="Loss jumps again"))
    console.show(replace(CLOSED, insight="loss_spike#2", resolved=False))
    assert capsys.readouterr().out.splitlines() == [
        "[ptt] MEDIUM at step 31: Loss jumps to 9 at step 31",
        "      rule: loss_spike",
        "      do: Look at the batch.",
        "      source: Ann (2024)",
        "[ptt] resolved at step 36: loss_spike (it held from step 31 to 31)",
        "[ptt] MEDIUM at step 50: Loss jumps again",
        "      rule: loss_spike",
        "[ptt] loss_spike still held when the run ended",
    ]
