"""Leaves out one family of faults at a time, to show what does not hang on having seen it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.scorecard.fault_families import family_of
from benchmarks.scorecard.refit import fitted_positions, fitting_run, score_refitted
from benchmarks.scorecard.run_sets import JUDGING, TUNING
from benchmarks.scorecard.trial import Trial, scores_of
from post_training_toolkit.engine.backtest import in_processes, rules_of
from post_training_toolkit.engine.backtest_score import ScoredRun
from post_training_toolkit.engine.cli.progress import with_progress
from post_training_toolkit.engine.labelled_run import Labels, Match, read_labelled_run
from post_training_toolkit.rules.model import Rule, Source

# Stands for no family where one is left out.
_NONE = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the rules find of one family of faults, in the runs of all sets.

    ``fitted_without`` are the scores of its runs by rules whose thresholds were fitted without the
    family, ``fitted_with`` by rules fitted on all families, and ``healthy`` those of the former on
    the healthy runs that were not fitted on. ``best_rule`` is right in most of the runs, None where
    none is, and ``without_best`` is the number of runs that are detected without it.
    """

    family: str
    trials: Sequence[Trial]
    fitted_without: Sequence[ScoredRun]
    fitted_with: Sequence[ScoredRun]
    healthy: Sequence[ScoredRun]
    best_rule: str | None
    without_best: int


def families_of(trials: Sequence[Trial]) -> Mapping[str, list[Trial]]:
    """Return the trials in which something is expected, by family of fault, the largest first."""
    families: dict[str, list[Trial]] = {}
    for trial in trials:
        labels = trial.shipped.labels
        if labels.fault is not None and labels.expected:
            families.setdefault(family_of(labels.fault), []).append(trial)
    return dict(sorted(families.items(), key=lambda each: (-len(each[1]), each[0])))


def leave_families_out(
    sources: tuple[Source, ...], trials: Sequence[Trial], jobs: int
) -> Sequence[LeftOut]:
    """Fit and score once for each family; nothing without runs to fit on."""
    folders = [trial.folder for trial in trials if trial.set_name == TUNING]
    if not folders:
        return []
    searched = in_processes(partial(fitting_run, sources), folders, jobs)
    runs = list(with_progress(searched, len(folders), "searching thresholds"))
    rules, families = rules_of(sources), families_of(trials)
    positions = {
        family: fitted_positions(rules, [run for run in runs if not _is_of(family, run.labels)])
        for family in (*families, _NONE)
    }
    relevant = [trial for own in families.values() for trial in own]
    relevant += [each for each in trials if each.set_name == JUDGING and each.shipped.healthy]
    score = partial(_score_without_family, sources, positions)
    scored = in_processes(score, [trial.folder for trial in relevant], jobs)
    scores = list(with_progress(scored, len(relevant), "leaving families out"))
    return [_left_out(family, own, scores, rules) for family, own in families.items()]


def _score_without_family(
    sources: tuple[Source, ...], positions: Mapping[str, Mapping[str, float]], folder: Path
) -> dict[str, ScoredRun]:
    """Score a run fitted without its own family and with all, a healthy one without each."""
    labels = read_labelled_run(folder).labels
    return {
        family: score_refitted(sources, of_family, folder)
        for family, of_family in positions.items()
        if labels.fault is None or family == _NONE or _is_of(family, labels)
    }


def _left_out(
    family: str,
    trials: Sequence[Trial],
    scores: Sequence[Mapping[str, ScoredRun]],
    rules: Sequence[Rule],
) -> LeftOut:
    own = [each for each in scores if family in each]
    faulty = [each for each in own if not each[family].healthy]
    best = best_rule(rules, scores_of(trials))
    return LeftOut(
        family,
        trials,
        fitted_without=[each[family] for each in faulty],
        fitted_with=[each[_NONE] for each in faulty],
        healthy=[each[family] for each in own if each[family].healthy],
        best_rule=best,
        without_best=sum(detected_without(best, run) for run in scores_of(trials)),
    )


def _is_of(family: str, labels: Labels) -> bool:
    return labels.fault is not None and family_of(labels.fault) == family


def best_rule(rules: Sequence[Rule], runs: Sequence[ScoredRun]) -> str | None:
    """Return the rule that finds something expected in most of the runs, None where none does."""
    found = Counter(rule for run in runs for rule in {rule for rule, _ in _finds(run)})
    # Of equals, the first in the packs.
    return max((each.id for each in rules if found[each.id]), key=found.__getitem__, default=None)


def detected_without(rule: str | None, run: ScoredRun) -> bool:
    """Tell whether a run would be detected if a rule were not there."""
    modes = {mode for each, mode in _finds(run) if each != rule}
    if run.labels.match is Match.ANY:
        return bool(modes)
    return bool(run.labels.expected) and modes == set(run.labels.expected)


def _finds(run: ScoredRun) -> set[tuple[str, str]]:
    """Return each rule with each expected mode that an insight of it rightly raised."""
    return {
        (each.rule, mode)
        for each in run.insights
        if each.counts and each.is_right
        for mode in each.detects
        if mode in run.labels.expected
    }
