"""Proposes thresholds: for each the value at which its rule just stays silent on healthy runs.

Every ``above`` and ``below`` of a rule is turned alone, all others stay as they are. Gates, ``for``
and windows hold as they do in a run, since the search runs the engine itself with other thresholds
and halves the range in which the rule falls silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from post_training_toolkit.engine.backtest import in_processes, rules_of
from post_training_toolkit.engine.backtest_knob import Knob, find_knobs
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.labelled_run import read_labelled_run
from post_training_toolkit.engine.readers.description import DescribedRecording
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.rules.condition import Comparison
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.severity import Severity

# Halvings of the range: the answer is within 1 % of the exact one.
_ROUNDS = 14


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What healthy runs say of one threshold.

    ``today`` is None for a threshold that depends on the configuration; ``quiet_from`` is a factor
    for it then. ``quiet_from`` is None where no value makes the rule fire. ``margin`` is the room
    between it and today's threshold as a share of today's, negative where the rule fires today;
    None where today's is 0.
    """

    rule: str
    severity: Severity
    metric: str
    statistic: str
    comparison: Comparison
    today: float | None
    quiet_from: float | None
    margin: float | None


def quiet_positions_of(
    folders: Sequence[Path], sources: tuple[Source, ...], jobs: int
) -> Iterator[dict[str, float]]:
    """Yield the quiet positions in each of some healthy runs that can be read."""
    return in_processes(partial(quiet_positions, sources), folders, jobs)


def suggestions(
    rules: Iterable[Rule], positions: Iterable[Mapping[str, float]]
) -> list[Suggestion]:
    """Return a suggestion for every threshold that can be turned, in the order of the rules."""
    found: dict[str, float] = {}
    for of_run in positions:
        for key, position in of_run.items():
            found[key] = max(found.get(key, position), position)
    return [_suggestion(knob, found.get(knob.key)) for knob in find_knobs(rules)]


def quiet_positions(sources: tuple[Source, ...], folder: Path) -> dict[str, float]:
    """Return the position from which each knob is quiet in one run.

    Knobs that are quiet wherever they stand, or nowhere, are left out: this run says nothing.
    """
    recording = read_labelled_run(folder).read()
    knobs = find_knobs(rules_of(sources))
    loudest = {knob.key: -knob.reach for knob in knobs}
    quietest = {knob.key: knob.reach for knob in knobs}
    can_fire = _firing(recording, knobs, loudest)
    knobs = [knob for knob in knobs if knob.key in can_fire]
    always_fires = _firing(recording, knobs, quietest)
    knobs = [knob for knob in knobs if knob.key not in always_fires]
    for _ in range(_ROUNDS if knobs else 0):
        middle = {each.key: (loudest[each.key] + quietest[each.key]) / 2 for each in knobs}
        firing = _firing(recording, knobs, middle)
        for key, position in middle.items():
            (loudest if key in firing else quietest)[key] = position
    return {knob.key: quietest[knob.key] for knob in knobs}


def _firing(
    recording: DescribedRecording, knobs: Iterable[Knob], positions: Mapping[str, float]
) -> set[str]:
    """Return the keys of the knobs whose rules fire at the positions."""
    rules = [knob.rule_at(positions[knob.key]) for knob in knobs]
    events = replay(recording.entries, Engine(rules, recording.run))
    return {event.rule for event in events if isinstance(event, InsightFired)}


def _suggestion(knob: Knob, position: float | None) -> Suggestion:
    quiet_from = None if position is None else knob.number(position)
    today = 1.0 if knob.today is None else knob.today
    margin = None
    if quiet_from is not None and today != 0:
        room = today - quiet_from if knob.is_above else quiet_from - today
        margin = room / abs(today)
    comparison = knob.comparison
    return Suggestion(
        rule=knob.rule.id,
        severity=knob.rule.severity,
        metric=comparison.metric,
        statistic=comparison.statistic.name,
        comparison=comparison.threshold.comparison,
        today=knob.today,
        quiet_from=quiet_from,
        margin=margin,
    )
