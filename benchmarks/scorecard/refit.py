"""Fits thresholds anew on some runs only, to see what they are worth on the others.

Done with the thresholds that were chosen on runs: each ``above`` and ``below`` of the rules whose
number is ``empirical``, all others left as they ship. Each is turned alone. Its quiet position in a
run is where the rule just falls silent there; the search for it is the one behind
``ptt-rules backtest --suggest``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.scorecard.judging import judge
from post_training_toolkit.engine.backtest import rules_of
from post_training_toolkit.engine.backtest_knob import Knob, find_knobs
from post_training_toolkit.engine.backtest_score import ScoredRun
from post_training_toolkit.engine.backtest_suggestion import quiet_positions
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Episode, episodes
from post_training_toolkit.engine.labelled_run import Labels, read_labelled_run
from post_training_toolkit.engine.readers.description import DescribedRecording
from post_training_toolkit.engine.replay import replay
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.severity import Severity

# Room beyond what one side shows, where the other side shows nothing; positions are logarithms.
_MARGIN = math.log(1.5)
_EMPIRICAL = "empirical"


@dataclass(frozen=True, slots=True)
class FittingRun:
    """A run to fit on: its labels, and where each threshold falls silent in it."""

    labels: Labels
    quiet: Mapping[str, float]


def fitting_run(sources: tuple[Source, ...], folder: Path) -> FittingRun:
    """Search a run for the quiet positions of all thresholds of the rules."""
    return FittingRun(read_labelled_run(folder).labels, quiet_positions(sources, folder))


def fitted_positions(rules: Iterable[Rule], runs: Sequence[FittingRun]) -> dict[str, float]:
    """Return the position of each threshold between the healthy runs and those it should find.

    It is in the middle of the gap between the loudest healthy run and the quietest run that
    expects one of the rule's failure modes; runs that cannot be found without a false alarm are
    given up. Where only one side says anything the threshold keeps a factor of 1.5 from it, and
    where neither does it is left out.
    """
    fitted = {}
    for rule in rules:
        for knob in fitted_knobs(rule):
            position = _fitted(knob, rule.detects, runs)
            if position is not None:
                fitted[knob.key] = position
    return fitted


def _fitted(knob: Knob, detects: Sequence[str], runs: Iterable[FittingRun]) -> float | None:
    seen = [(run.labels, run.quiet[knob.key]) for run in runs if knob.key in run.quiet]
    healthy = max((at for labels, at in seen if labels.fault is None), default=None)
    to_find = min(
        (
            at
            for labels, at in seen
            if set(detects) & set(labels.expected) and (healthy is None or at > healthy)
        ),
        default=None,
    )
    if to_find is None:
        return None if healthy is None else healthy + _MARGIN
    return to_find - _MARGIN if healthy is None else (healthy + to_find) / 2


def fitted_knobs(rule: Rule) -> list[Knob]:
    """Return the thresholds of a rule that are fitted.

    They are those of the first level from medium up, since low insights find nothing. A sign, that
    is a threshold of 0, is no number that anybody chose.
    """
    if rule.threshold_origin != _EMPIRICAL:
        return []
    knobs = [each for each in find_knobs([rule]) if each.rule.severity.rank >= Severity.MEDIUM.rank]
    first = min((each.rule.severity.rank for each in knobs), default=0)
    return [each for each in knobs if each.rule.severity.rank == first and each.today != 0]


def refitted(rule: Rule, positions: Mapping[str, float]) -> Rule:
    """Return the rule with its fitted thresholds at the positions, and without a second level.

    The second level is dropped since its numbers were chosen on all runs.
    """
    knobs = [each for each in fitted_knobs(rule) if each.key in positions]
    if not knobs:
        return rule
    level = knobs[0].rule
    for knob in knobs:
        turned = next(each for each in find_knobs([level]) if each.key == knob.key)
        level = replace(turned.rule_at(positions[knob.key]), id=rule.id)
    return replace(
        level, inhibits=rule.inhibits, caused_by=rule.caused_by, renamed_from=rule.renamed_from
    )


def score_refitted(
    sources: tuple[Source, ...], positions: Mapping[str, float], folder: Path
) -> ScoredRun:
    """Score a run by the rules at the positions; raises ``LabelledRunError``."""
    rules = [refitted(rule, positions) for rule in rules_of(sources)]

    def find(recording: DescribedRecording) -> list[Episode]:
        return episodes(replay(recording.entries, Engine(rules, recording.run)))

    return judge(find, folder)
