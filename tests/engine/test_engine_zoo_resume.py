"""On labelled real runs: what is told live, replayed and after a resume is equal to the byte.

The runs stay outside the repository; the environment variable PTT_ZOO says where.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.labelled_run import find_labelled_runs, read_labelled_run
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.engine.replay import rebuild, replay
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.sources import default_sources

_FOLDER = os.environ.get("PTT_ZOO", "")
RUNS = find_labelled_runs(Path(_FOLDER)) if _FOLDER else []
if not RUNS:
    reason = f"PTT_ZOO={_FOLDER!r} is no folder of labelled runs"
    pytest.skip(reason, allow_module_level=True)

RESUMES = 20
# The shipped rules say little in most runs; these say something of every kind in nearly all.
TALKATIVE = (
    """
    metric: loss
    statistic: mean
    window: 5
    threshold: {above: 0.98, relative_to: {statistic: mean, window: 9}}
    severity: low
    escalation: {severity: medium, threshold: {above: 0, difference_from: baseline}, for: 2}
    keep_firing_for: 2
    cool_down: 2
    inhibits: [b]
    message: "{value} {ratio} {difference} {threshold} {step}"
    """,
    "{metric: grad_norm, statistic: slope, window: 6, threshold: {above: 0}, keep_firing_for: 1}",
    "{metric: rewards/*, threshold: {below: 0, difference_from: running_best}, keep_firing_for: 2}",
    "{metric: eval_loss, statistic: age, threshold: {above: 7}, keep_firing_for: 1}",
    """
    metric: loss
    statistic: {name: page_hinkley, threshold: 3}
    window: 10
    threshold: {outside: [-0.1, 0.1]}
    keep_firing_for: 1
    """,
    """
    metric: loss
    statistic: river.stats.Skew
    window: 8
    threshold: {above: 0}
    keep_firing_for: 1
    """,
    "{metric: loss, statistic: std, window: run, threshold: {below: 0.2}, keep_firing_for: 1}",
    """
    metric: loss
    statistic: {name: correlation, with: grad_norm}
    window: 6
    threshold: {above: 0}
    learning_rate_phase: [decay, warmup]
    after: {fraction: 0.1}
    keep_firing_for: 1
    """,
    """
    metric: loss/*
    statistic: mean
    window: 3
    threshold: {above: 0, difference_from: {statistic: mean, window: 5}}
    keep_firing_for: 1
    """,
)


@pytest.fixture(scope="module", name="rules")
def _rules(load_rules: Callable[..., tuple[Rule, ...]]) -> tuple[Rule, ...]:
    return (*load_rules(*TALKATIVE), *load_bundle(default_sources()).rules)


def _lines(events: Iterable[Event]) -> list[bytes]:
    return [insight_line(event) for event in events]


def _go_on(engine: Engine, entries: Iterable[MetricsEntry]) -> list[Event]:
    """Feed a live engine, without the code that reads files back."""
    events: list[Event] = []
    for entry in entries:
        if isinstance(entry, LoggedRow):
            events += engine.observe(entry.step, entry.row)
        elif entry.event == "train_end":
            events += engine.finish(entry.step)
        elif entry.event == "exception":
            events += engine.die(entry.step)
    return events


def _otherwise(row: LoggedRow) -> LoggedRow:
    """Return a row as the run that died logged it: with other numbers."""
    return replace(row, row=admit({key: 3.0 - 2.0 * x for key, x in row.row.values.items()}))


class _Resumed:
    """A run that died somewhere behind the checkpoint of a step and was resumed from there."""

    def __init__(self, entries: Sequence[MetricsEntry], step: int) -> None:
        later = [entry for entry in entries if isinstance(entry, LoggedRow) and entry.step > step]
        first = [entry for entry in entries if entry.step <= step and entry not in later]
        before = [entry for entry in first if not _is_end(entry)]
        self.step = step
        self.rest = [*later, *filter(_is_end, entries)]
        self.died = [*before, *map(_otherwise, later)]
        self.whole = [*self.died, Milestone("train_begin", step), *self.rest]


def _is_end(entry: MetricsEntry) -> bool:
    return isinstance(entry, Milestone) and entry.event != "train_begin"


def _read_back(path: Path, entries: Iterable[MetricsEntry]) -> list[MetricsEntry]:
    path.write_bytes(b"".join(map(metrics_line, entries)))
    return list(read_metrics(path))


def _steps(name: str, entries: Sequence[MetricsEntry]) -> list[int]:
    """Choose steps of checkpoints, which need not be steps at which something was logged."""
    last = max(entry.step for entry in entries)
    return [random.Random(f"{name} {number}").randint(0, last) for number in range(RESUMES)]


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_live_replayed_and_resumed_are_equal_to_the_byte(
    folder: Path, rules: tuple[Rule, ...], tmp_path: Path
) -> None:
    recording = read_labelled_run(folder).read()
    entries = recording.entries

    def engine(run: RunDescription = recording.run) -> Engine:
        return Engine(rules, run, containment)

    containment = Containment()
    live = _lines(_go_on(engine(), entries))
    assert len(live) > 5, "the equality compares something"
    assert _lines(replay(_read_back(tmp_path / "whole", entries), engine())) == live
    for step in _steps(folder.name, entries):
        resumed = _Resumed(entries, step)
        # From the file afterwards,
        file = _read_back(tmp_path / "resumed", resumed.whole)
        assert _lines(replay(file, engine())) == live, step
        # and in the process that goes on: its engine is rebuilt from what the dead one left.
        continued = engine()
        told = rebuild(_read_back(tmp_path / "died", resumed.died), continued, step)
        told += _go_on(continued, resumed.rest)
        assert _lines(told) == live, step
    # Rules that failed everywhere would be equal too.
    assert containment.failures == {}


def test_the_resumes_do_void_rows_and_lie_all_over_the_runs() -> None:
    """Otherwise the equality above would ask for less than it says."""
    shares: list[float] = []
    for folder in RUNS:
        entries = read_labelled_run(folder).read().entries
        rows = sum(isinstance(entry, LoggedRow) for entry in entries)
        for step in _steps(folder.name, entries):
            void = len(_Resumed(entries, step).rest) - 1
            shares.append(void / rows)
    assert min(shares) < 0.05
    assert max(shares) > 0.95
    assert sum(share > 0 for share in shares) > 0.9 * len(shares)


def test_the_talkative_rules_all_speak(rules: tuple[Rule, ...]) -> None:
    told: set[tuple[str, str]] = set()
    for folder in RUNS:
        recording = read_labelled_run(folder).read()
        for event in _go_on(Engine(rules, recording.run), recording.entries):
            told.add((event.rule, type(event).__name__))
    assert {rule for rule, _ in told} >= set("abcdefghi")
    kinds = {kind for _, kind in told}
    assert kinds == {"InsightFired", "InsightEscalated", "InsightFolded", "InsightClosed"}
