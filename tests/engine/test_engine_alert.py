"""One alert per rule: how long trouble must hold, when it is over, and what it remembers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from post_training_toolkit.engine.alert import Alert, AlertState, Transition

MET = {"+": True, "-": False, "?": None}
SHOWN = {Transition.NONE: ".", Transition.FIRED: "F", Transition.RESOLVED: "R"}

outcomes = st.lists(st.sampled_from([True, False, None]), max_size=40)
lengths = st.integers(1, 4)


def _run(alert: Alert, met: list[bool | None]) -> str:
    return "".join(SHOWN[alert.advance(step, each)] for step, each in enumerate(met, start=1))


@pytest.mark.parametrize(
    ("required", "keep", "met", "changes"),
    [
        # At once.
        (1, 1, "+", "F"),
        (1, 1, "-+-+-", ".FRFR"),
        (1, 1, "++++", "F..."),
        # for: consecutive observations, from the start again after one that clears.
        (3, 1, "++-++-+++", "........F"),
        (3, 1, "+++++-", "..F..R"),
        # keep_firing_for: consecutive observations too, from the start after one that holds.
        (1, 3, "+--+--+---", "F........R"),
        (1, 3, "+---+---", "F..RF..R"),
        (2, 2, "++-+--++", ".F...R.F"),
        # What cannot be judged neither counts nor clears.
        (3, 1, "+?+?+", "....F"),
        (1, 2, "+?-?-", "F...R"),
        (2, 1, "+?-+?+", ".....F"),
        (1, 1, "????", "...."),
        # A rise that did not last leaves nothing behind.
        (2, 1, "+-+-+-", "......"),
    ],
)
def test_an_alert_fires_and_resolves(required: int, keep: int, met: str, changes: str) -> None:
    assert _run(Alert(required, keep), [MET[each] for each in met]) == changes


@pytest.mark.parametrize(
    ("met", "state", "first_step", "last_step", "held", "episode"),
    [
        ("", AlertState.INACTIVE, 0, 0, 0, 0),
        ("-?", AlertState.INACTIVE, 0, 0, 0, 0),
        ("-+", AlertState.PENDING, 2, 2, 1, 0),
        ("+-", AlertState.INACTIVE, 1, 1, 1, 0),
        ("-++", AlertState.FIRING, 2, 3, 2, 1),
        ("-++?-", AlertState.FIRING, 2, 3, 2, 1),
        ("-++-+", AlertState.FIRING, 2, 5, 3, 1),
        ("-++-?-", AlertState.RESOLVED, 2, 3, 2, 1),
        ("++--+", AlertState.PENDING, 5, 5, 1, 1),
        ("++--+-", AlertState.RESOLVED, 5, 5, 1, 1),
        ("++--++", AlertState.FIRING, 5, 6, 2, 2),
    ],
)
def test_an_alert_remembers_its_episode(
    met: str, state: AlertState, first_step: int, last_step: int, held: int, episode: int
) -> None:
    """For ``for: 2`` and ``keep_firing_for: 2``."""
    alert = Alert(2, 2)
    _run(alert, [MET[each] for each in met])
    assert alert.state is state
    assert (alert.first_step, alert.last_step, alert.held) == (first_step, last_step, held)
    assert alert.episode == episode


@given(outcomes, lengths, lengths)
def test_episodes_open_and_close_in_turn(met: list[bool | None], required: int, keep: int) -> None:
    alert = Alert(required, keep)
    changes = _run(alert, met).replace(".", "")
    assert changes == "FR" * (len(changes) // 2) + "F" * (len(changes) % 2)
    assert alert.episode == changes.count("F")
    assert (alert.state is AlertState.FIRING) == changes.endswith("F")


@given(outcomes, lengths, lengths)
def test_an_episode_opens_after_enough_that_hold_and_closes_after_enough_that_do_not(
    met: list[bool | None], required: int, keep: int
) -> None:
    changes = _run(Alert(required, keep), met)
    judged = [each for each in met if each is not None]
    kept = [change for change, each in zip(changes, met, strict=True) if each is not None]
    for index, change in enumerate(kept):
        until = judged[: index + 1]
        if change == "F":
            assert until[-required:] == [True] * required
        if change == "R":
            assert until[-keep:] == [False] * keep
    # And no later than that: an open episode has no such tail without its end.
    if "F" in changes and changes.rindex("F") > changes.rfind("R"):
        after = judged[max(index for index, change in enumerate(kept) if change == "F") :]
        runs = "".join("-" if each is False else "+" for each in after).split("+")
        assert max(map(len, runs)) < keep


@given(outcomes, lengths, lengths)
def test_leaving_out_what_cannot_be_judged_changes_nothing(
    met: list[bool | None], required: int, keep: int
) -> None:
    judged = [each for each in met if each is not None]
    without = _run(Alert(required, keep), list(judged))
    assert _run(Alert(required, keep), met).replace(".", "") == without.replace(".", "")
