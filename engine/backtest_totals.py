"""Sums the scores of labelled runs up: per rule, per failure mode and altogether."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from post_training_toolkit.engine.backtest_score import ScoredRun, delay_of
from post_training_toolkit.rules.model import Rule


@dataclass(frozen=True, slots=True)
class RuleScore:
    """How one rule did; insights of low severity are only in ``low``.

    ``delay`` is the median number of logged steps from onset to firing of the right ones.
    """

    rule: str
    fired: int
    right: int
    false_alarms: int
    low: int
    delay: float | None


@dataclass(frozen=True, slots=True)
class ModeScore:
    """How well one failure mode was detected where it was expected.

    In a run that allows any of several modes, those beside the found ones are neither found nor
    missed. ``has_rule`` tells whether any rule detects the mode at all.
    """

    mode: str
    expected: int
    found: int
    missed: int
    delay: float | None
    has_rule: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a whole back-test; steps are logged steps."""

    runs: int
    healthy_runs: int
    steps: int
    healthy_steps: int
    found: int
    to_find: int
    false_alarms: int
    false_alarms_in_healthy_runs: int
    low: int
    delay: float | None

    @property
    def detection(self) -> float | None:
        """Share of what was to be found that was found; None if there was nothing."""
        return self.found / self.to_find if self.to_find else None

    @property
    def false_alarms_per_1000_healthy_steps(self) -> float | None:
        """False alarms of the healthy runs by their length; None without healthy runs."""
        if not self.healthy_steps:
            return None
        return 1000 * self.false_alarms_in_healthy_runs / self.healthy_steps


def rule_scores(runs: Sequence[ScoredRun], rules: Iterable[Rule]) -> list[RuleScore]:
    """Return the score of every rule, in the order of the rules."""
    return [_rule_score(rule.id, runs) for rule in rules]


def mode_scores(runs: Sequence[ScoredRun], rules: Iterable[Rule]) -> list[ModeScore]:
    """Return the score of every failure mode that some run expects, by name."""
    detected = {mode for rule in rules for mode in rule.detects}
    modes = sorted({mode for run in runs for mode in run.labels.expected})
    return [
        ModeScore(
            mode,
            expected=sum(mode in run.labels.expected for run in runs),
            found=sum(mode in run.delays for run in runs),
            missed=sum(mode in run.missed for run in runs),
            delay=_median(run.delays[mode] for run in runs if mode in run.delays),
            has_rule=mode in detected,
        )
        for mode in modes
    ]


def totals(runs: Sequence[ScoredRun]) -> Totals:
    """Return the figures of all runs together."""
    healthy = [run for run in runs if run.healthy]
    found, missed = sum(run.finds for run in runs), sum(run.misses for run in runs)
    return Totals(
        runs=len(runs),
        healthy_runs=len(healthy),
        steps=sum(len(run.logged_steps) for run in runs),
        healthy_steps=sum(len(run.logged_steps) for run in healthy),
        found=found,
        to_find=found + missed,
        false_alarms=_false_alarms(runs),
        false_alarms_in_healthy_runs=_false_alarms(healthy),
        low=sum(not each.counts for run in runs for each in run.insights),
        delay=_median(delay for run in runs for delay in run.delays.values()),
    )


def _rule_score(rule: str, runs: Sequence[ScoredRun]) -> RuleScore:
    own = [(run, each) for run in runs for each in run.insights if each.rule == rule]
    counted = [(run, each) for run, each in own if each.counts]
    right = [(run, each) for run, each in counted if each.is_right]
    return RuleScore(
        rule,
        fired=len(counted),
        right=len(right),
        false_alarms=len(counted) - len(right),
        low=len(own) - len(counted),
        delay=_median(delay_of(run, each) for run, each in right),
    )


def _false_alarms(runs: Iterable[ScoredRun]) -> int:
    return sum(each.is_false_alarm for run in runs for each in run.insights)


def _median(values: Iterable[int]) -> float | None:
    found = list(values)
    return median(found) if found else None
