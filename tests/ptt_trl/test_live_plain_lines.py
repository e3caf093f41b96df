"""Plain lines say all that is to be said, as log files have always shown it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from post_training_toolkit.engine.event import Episode
from post_training_toolkit.ptt_trl.live.face import Face
from post_training_toolkit.ptt_trl.live.plain_lines import PlainLines
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from tests.ptt_trl.loss_spike_events import CLOSED, FIRED


def test_remedies_and_sources_are_told_at_the_first_episode_of_a_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    face = Face(PlainLines())
    face.show(FIRED)
    face.show(CLOSED)
    face.show(replace(FIRED, insight="loss_spike#2", step=50, message="Loss jumps again"))
    face.show(replace(CLOSED, insight="loss_spike#2", resolved=False))
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


def test_begin_and_end_name_the_folder_and_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    face = Face(PlainLines())
    face.begin(RunStart("dpo", Path("run/ptt"), resumed_at=20))
    face.end(RunEnding("completed", 40, (Episode(FIRED),), None, Path("run/ptt/report.md")))
    face.end(RunEnding("completed", 40, (), None, None))
    assert capsys.readouterr().out.splitlines() == [
        "[ptt] watching this DPO run; resumed at step 20; files in run/ptt",
        "[ptt] 1 insight, the worst of severity medium; report: run/ptt/report.md",
        "[ptt] no insights; the report could not be written",
    ]
