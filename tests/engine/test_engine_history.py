"""What an insight can look back on: its evidence, and the newest step that was still sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFired
from post_training_toolkit.engine.history import EVIDENCE_LENGTH, History
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]


def _history(window: int, rows: list[dict[str, float]]) -> History:
    history = History()
    history.keep(window)
    for number, row in enumerate(rows, 1):
        history.remember(tuple(row), 10 * number, row)
    return history


def test_observations_are_put_in_order_across_rows_of_different_shapes() -> None:
    rows: list[dict[str, float]] = [
        {"x": 1.0, "y": 0.0} if number % 3 else {"x": 2.0} for number in range(30)
    ]
    history = _history(1, rows)
    newest = history.newest("x", EVIDENCE_LENGTH)
    assert [step for step, _ in newest] == list(range(210, 301, 10))
    assert [value for _, value in newest] == [row["x"] for row in rows[-10:]]
    # Metrics of which nothing is known have no evidence.
    assert set(history.evidence(["x", "y", "z"])) == {"x", "y"}


@pytest.mark.parametrize(
    ("window", "rows", "step"),
    [
        (1, 1, 0),
        (1, 2, 10),
        (3, 3, 0),
        (3, 4, 10),
        (3, 9, 60),
        (1999, 2500, 5010),
        # Beyond what is kept nothing is known, which is told as 0.
        (2000, 2500, 0),
        (5000, 6000, 0),
    ],
)
def test_the_step_before_a_window(window: int, rows: int, step: int) -> None:
    assert _history(window, [{"x": 0.0}] * rows).step_before("x", window) == step


def test_a_longer_window_that_comes_later_keeps_what_is_there() -> None:
    history = _history(1, [{"x": float(n)} for n in range(11)])
    history.keep(50)
    assert len(history.newest("x", 50)) == EVIDENCE_LENGTH
    for number in range(12, 60):
        history.remember(("x",), 10 * number, {"x": 0.0})
    assert history.step_before("x", 50) == 90


def test_names_that_change_at_every_step_do_not_grow_it() -> None:
    history = _history(1, [{f"x{n}": 1.0} for n in range(1000)])
    assert history.newest("x999", 5) == ((10_000, 1.0),)
    assert history.newest("x0", 5) == ()


def test_an_insight_looks_back_over_training_and_summary_rows(load_rules: LoadRules) -> None:
    """Evaluation rows between do not push the observations of the training out."""
    rules = load_rules("{metric: x, statistic: mean, window: 3, threshold: {above: 4}}")
    engine = Engine(rules, RunDescription())
    fired: list[Event] = []
    for step in range(1, 21):
        wide = {"x": float(step > 18) * 9, "z": 1.0} if step % 2 else {"x": float(step > 18) * 9}
        fired += engine.observe(step, admit(wide))
        for other in range(5):
            assert engine.observe(step, admit({"eval_x": 1.0, "time": float(other)})) == ()
    [event] = fired
    assert isinstance(event, InsightFired)
    # Of the window 18 to 20 only 19 and 20 are high; 17 is outside of it.
    assert (event.step, event.last_sound_step) == (20, 17)
    assert [step for step, _ in event.evidence["x"]] == list(range(11, 21))


def test_the_last_sound_step_of_a_window_beyond_the_cap_is_unknown(load_rules: LoadRules) -> None:
    rules = load_rules("{metric: x, statistic: max, window: 2500, threshold: {above: 1}}")
    engine = Engine(rules, RunDescription())
    for step in range(1, 3001):
        assert engine.observe(step, admit({"x": 0.0})) == ()
    [fired] = engine.observe(3001, admit({"x": 5.0}))
    assert isinstance(fired, InsightFired)
    assert fired.last_sound_step == 0
