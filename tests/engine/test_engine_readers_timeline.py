"""The timeline has a line for every kind of event, and its summary counts the insights."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest

from post_training_toolkit.engine.cli.progress import progress_of, with_progress
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.timeline import summary, timeline
from post_training_toolkit.engine.watched_engine import WatchedEngine
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
CAUSE = "{metric: loss, threshold: {above: 5}, message: cause}"
CONSEQUENCE = (
    "{metric: grad_norm, threshold: {above: 1}, severity: medium, message: 'norm {value}', "
    "escalation: {severity: critical, threshold: {above: 3}}, caused_by: [a]}"
)


def _events(rules: tuple[Rule, ...], *rows: tuple[float, float]) -> list[Event]:
    entries: list[MetricsEntry] = [
        LoggedRow(step, None, admit({"loss": loss, "grad_norm": norm}))
        for step, (loss, norm) in enumerate(rows, start=1)
    ]
    entries.append(Milestone("train_end", len(rows)))
    return list(replay(entries, Engine(rules, RunDescription())))


def test_every_kind_of_event_has_its_line(load_rules: LoadRules) -> None:
    events = _events(load_rules(CAUSE, CONSEQUENCE), (1, 2), (1, 4), (9, 4))
    assert [re.split(" {2,}", line) for line in timeline(events)] == [
        ["step 1", "medium", "fires", "b#1", "norm 2"],
        ["step 2", "critical", "worsens", "b#1", "norm 4"],
        ["step 3", "high", "fires", "a#1", "cause"],
        ["step 3", "explained", "b#1", "because of a#1"],
        ["step 3", "high", "lasts", "a#1", "held once at step 3"],
        ["step 3", "critical", "lasts", "b#1", "held 3 times from step 1 to 3"],
    ]
    assert summary(events, ()) == [
        "2 insights: 1 critical, 1 high; consequences of others: 1",
        "not over at the end: b#1, a#1",
    ]


def test_a_consequence_that_fires_later_names_its_cause(load_rules: LoadRules) -> None:
    events = _events(load_rules(CAUSE, CONSEQUENCE), (9, 0), (9, 2))
    assert timeline(events)[1].endswith("b#1  norm 2 (because of a#1)")


def test_nothing_that_happened_is_nothing_to_tell() -> None:
    assert (timeline([]), summary([], ())) == ([], ["no insights"])


def test_the_engine_tells_every_thousand_rows(load_rules: LoadRules) -> None:
    told: list[int] = []
    engine = WatchedEngine(load_rules(CAUSE), RunDescription(), told.append)
    for step in range(2500):
        engine.observe(step, admit({"loss": 1.0}))
    assert told == [1000, 1000]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(with_progress(iter([1, 2]), 2, "counting")) == [1, 2]
    with progress_of(4, "replaying") as advance:
        advance(4)
    shown = terminal.getvalue()
    assert shown.count("100%") == 2
    assert "counting" in shown
    assert "replaying" in shown


def test_progress_passes_everything_on() -> None:
    assert list(with_progress(iter([1, 2]), 2, "counting")) == [1, 2]
    with progress_of(2, "counting") as advance:
        advance(2)
