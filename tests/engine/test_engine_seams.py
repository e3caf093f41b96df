"""A metrics file that a run was resumed into is read as one run, and its seams are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.replay import rebuild, replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.seams import consolidate, up_to
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]

BEGIN, END = "train_begin", "train_end"


def _entries(*told: int | str) -> list[MetricsEntry]:
    """Make entries of steps and of milestones such as "train_begin 50".

    The value of a row is its place, so that two rows of one step can be told apart.
    """
    entries: list[MetricsEntry] = []
    for place, each in enumerate(told):
        if isinstance(each, int):
            entries.append(LoggedRow(each, None, admit({"x": float(place)})))
        else:
            event, _, step = each.partition(" ")
            entries.append(Milestone(event, int(step)))
    return entries


def _tell(entries: Sequence[MetricsEntry]) -> list[int | str]:
    return [
        entry.step if isinstance(entry, LoggedRow) else f"{entry.event} {entry.step}"
        for entry in entries
    ]


@pytest.mark.parametrize(
    ("told", "kept", "notes"),
    [
        ([], [], []),
        (["train_begin 0", 1, 2, "train_end 2"], ["train_begin 0", 1, 2, "train_end 2"], []),
        # Several rows of one step are no seam.
        (["train_begin 0", 1, 1, 2, 2, 2], ["train_begin 0", 1, 1, 2, 2, 2], []),
        # Killed at 70, resumed from the checkpoint of 50.
        (
            ["train_begin 0", 50, 60, 70, "train_begin 50", 60, 70, "train_end 70"],
            ["train_begin 0", 50, 60, 70, "train_end 70"],
            ["the run was resumed at step 50; 2 rows logged after it before no longer count"],
        ),
        (
            ["train_begin 0", 50, 60, "train_begin 55", 60],
            ["train_begin 0", 50, 60],
            ["the run was resumed at step 55; 1 row logged after it before no longer count"],
        ),
        # Resumed where it was left: nothing is void.
        (
            ["train_begin 0", 50, "train_begin 50", 60],
            ["train_begin 0", 50, 60],
            ["the run was resumed at step 50"],
        ),
        # An end, or a crash, was not the end after all.
        (
            ["train_begin 0", 50, 60, "train_end 60", "train_begin 60", 70, "train_end 70"],
            ["train_begin 0", 50, 60, 70, "train_end 70"],
            ["the run was resumed at step 60"],
        ),
        (
            ["train_begin 0", 50, 60, "exception 62", "train_begin 50", 60],
            ["train_begin 0", 50, 60],
            ["the run was resumed at step 50; 1 row logged after it before no longer count"],
        ),
        (
            ["train_begin 0", 50, 60, "exception 62", "train_end 62", "train_begin 60", 70],
            ["train_begin 0", 50, 60, 70],
            ["the run was resumed at step 60"],
        ),
        # A last evaluation behind the end is no part of the training, resumed or not.
        (
            ["train_begin 0", 50, 60, "train_end 60", 60],
            ["train_begin 0", 50, 60, "train_end 60"],
            [],
        ),
        (
            ["train_begin 0", 50, 60, "train_end 60", 60, "train_begin 60", 70],
            ["train_begin 0", 50, 60, 70],
            ["the run was resumed at step 60"],
        ),
        # From the beginning.
        (
            ["train_begin 0", 10, 20, "train_begin 0", 10],
            ["train_begin 0", 10],
            ["the run was resumed at step 0; 2 rows logged after it before no longer count"],
        ),
        # Twice, the second time from an earlier checkpoint than the first.
        (
            ["train_begin 0", 40, 50, 60, "train_begin 50", 60, 70, "train_begin 40", 50],
            ["train_begin 0", 40, 50],
            [
                "the run was resumed at step 50; 1 row logged after it before no longer count",
                "the run was resumed at step 40; 3 rows logged after it before no longer count",
            ],
        ),
        # Steps that go back without a new start.
        (
            [10, 20, 30, 20, 30],
            [10, 20, 30],
            ["the logged steps go back to 20; 2 rows logged after it before no longer count"],
        ),
        (
            ["train_begin 0", 10, 20, "train_end 20", 10],
            ["train_begin 0", 10],
            ["the logged steps go back to 10; 2 rows logged after it before no longer count"],
        ),
        (
            ["train_begin 0", 0, 10, 0],
            ["train_begin 0", 0],
            ["the logged steps go back to 0; 2 rows logged after it before no longer count"],
        ),
        # A file that begins with a resumed run has no seam yet.
        (["train_begin 50", 60], ["train_begin 50", 60], []),
    ],
)
def test_what_counts_and_what_is_told(
    told: list[int | str], kept: list[int | str], notes: list[str]
) -> None:
    run = consolidate(_entries(*told))
    assert _tell(run.entries) == kept
    assert list(run.notes) == notes


def test_of_what_was_logged_twice_the_later_counts() -> None:
    run = consolidate(_entries("train_begin 0", 1, 2, 3, "train_begin 1", 2, 3))
    values = [entry.row.values["x"] for entry in run.entries if isinstance(entry, LoggedRow)]
    assert values == [1.0, 5.0, 6.0]


def test_what_was_consolidated_has_no_seam() -> None:
    entries = _entries("train_begin 0", 40, 50, 60, "train_begin 50", 60, 55, "exception 60")
    once = consolidate(entries)
    again = consolidate(once.entries)
    assert (again.entries, again.notes) == (once.entries, ())


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (0, ["train_begin 0"]),
        (49, ["train_begin 0", 40]),
        (50, ["train_begin 0", 40, 50]),
        (60, ["train_begin 0", 40, 50, 60]),
        (99, ["train_begin 0", 40, 50, 60]),
    ],
)
def test_up_to_a_checkpoint(step: int, kept: list[int | str]) -> None:
    entries = _entries(
        "train_begin 0", 40, 50, 55, "train_begin 50", 60, "exception 61", "train_end 61"
    )
    assert _tell(up_to(entries, step)) == kept


RULE = """
metric: x
statistic: mean
window: 2
threshold: {above: 1}
for: 2
keep_firing_for: 2
escalation: {severity: critical, threshold: {above: 10}}
message: "{value} at {step}"
"""


def test_an_engine_that_was_rebuilt_goes_on_as_if_it_had_never_stopped(
    load_rules: LoadRules,
) -> None:
    """At every step: in the middle of a window, of a for, of an episode, of its end."""
    values = [0, 5, 5, 5, 50, 50, 50, 0, 0, 0, 0, 5, 5, 5]
    rows: list[MetricsEntry] = [
        LoggedRow(step, None, admit({"x": x})) for step, x in enumerate(values, 1)
    ]
    rules = load_rules(RULE)
    whole: list[MetricsEntry] = [Milestone(BEGIN, 0), *rows, Milestone(END, len(rows))]
    live = list(map(insight_line, replay(whole, Engine(rules, RunDescription()))))
    assert len(live) == 5
    for step in range(len(rows) + 1):
        engine = Engine(rules, RunDescription())
        events = rebuild([Milestone(BEGIN, 0), *rows, Milestone("exception", 14)], engine, step)
        for row in rows[step:]:
            assert isinstance(row, LoggedRow)
            events += engine.observe(row.step, row.row)
        events += engine.finish(len(rows))
        assert list(map(insight_line, events)) == live


def test_a_rebuilt_engine_leaves_episodes_open(load_rules: LoadRules) -> None:
    """The end that the dead run had come to is void, so nothing is closed by it."""
    rules = load_rules("{metric: x, threshold: {above: 1}}")
    entries = [*_entries("train_begin 0", 1, 2, 3), Milestone(END, 3)]
    engine = Engine(rules, RunDescription())
    assert [event.step for event in rebuild(entries, engine, 3)] == [2]
    assert [event.step for event in engine.finish(9)] == [9]
