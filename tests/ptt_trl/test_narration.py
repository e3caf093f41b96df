"""A person is told each thing once, and no rule floods the screen."""

from __future__ import annotations

from dataclasses import replace

from post_training_toolkit.engine.event import Event, InsightFolded
from post_training_toolkit.ptt_trl.narration import EPISODES_TOLD, Alarm, Narrator, Remark
from tests.ptt_trl.loss_spike_events import CLOSED, ESCALATED, FIRED


def _tell(narrator: Narrator, *events: Event) -> list[str]:
    told = [narrator.tell(event) for event in events]
    return [each.text if isinstance(each, Remark) else each.headline for each in told if each]


def _episode(number: int) -> tuple[Event, Event]:
    insight = f"loss_spike#{number}"
    return (
        replace(FIRED, insight=insight, step=100 + number),
        replace(CLOSED, insight=insight, step=100 + number),
    )


def test_a_rule_that_fires_again_and_again_is_told_so_once() -> None:
    narrator = Narrator()
    events = [event for number in range(50) for event in _episode(number)]
    told = _tell(narrator, *events)
    assert len(told) == 2 * EPISODES_TOLD + 1
    assert told[-1] == (
        "loss_spike fires again at step 103; from here on only the report lists its insights"
    )


def test_a_rule_that_is_no_longer_told_still_tells_of_a_rise_and_how_that_ended() -> None:
    narrator = Narrator()
    _tell(narrator, *(event for number in range(10) for event in _episode(number)))
    fired, closed = _episode(10)
    rise = replace(ESCALATED, insight=fired.insight)
    assert _tell(narrator, fired, rise, closed) == [
        "now HIGH at step 33",
        "resolved at step 110: loss_spike (it held from step 31 to 31)",
    ]
    # The second rise to the same severity says nothing new.
    fired, closed = _episode(11)
    assert _tell(narrator, fired, replace(ESCALATED, insight=fired.insight), closed) == []


def test_a_consequence_is_not_told_whatever_becomes_of_it() -> None:
    narrator = Narrator()
    assert _tell(narrator, replace(FIRED, caused_by="root#1"), ESCALATED, CLOSED) == []


def test_an_insight_that_turns_out_to_be_a_consequence_is_told_so_and_no_more() -> None:
    narrator = Narrator()
    folded = InsightFolded("loss_spike#1", "loss_spike", 32, "root#1")
    assert _tell(narrator, FIRED, folded, ESCALATED, CLOSED) == [
        "MEDIUM at step 31",
        "loss_spike follows from root#1",
    ]


def test_the_first_insight_told_of_a_rule_brings_its_remedies_even_after_a_consequence() -> None:
    narrator = Narrator()
    narrator.tell(replace(FIRED, caused_by="root#1"))
    told = narrator.tell(replace(FIRED, insight="loss_spike#2"))
    assert isinstance(told, Alarm)
    assert told.remediation == FIRED.remediation
