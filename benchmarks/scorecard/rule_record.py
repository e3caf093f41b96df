"""How one rule did on a set of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from post_training_toolkit.engine.backtest_score import ScoredInsight, ScoredRun, delay_of
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.figures import RuleFigures
from post_training_toolkit.rules.model import Rule


def rule_figures(rule: Rule, runs: Iterable[ScoredRun]) -> RuleFigures:
    """Measure one rule on the runs of its trainers; insights of low severity count here too."""
    own = [run for run in runs if not rule.gate.trainers or run.trainer in rule.gate.trainers]
    expecting = [run for run in own if _could_find(rule, run)]
    # The first right insight of each run.
    delays = [delay_of(run, each) for run in expecting for each in _right(rule, run)[:1]]
    return RuleFigures(
        right_runs=len(delays),
        expecting_runs=len(expecting),
        false_alarms=sum(not each.is_right for run in own for each in _of(rule, run)),
        healthy_steps=sum(len(run.logged_steps) for run in own if run.healthy),
        delay=median(delays) if delays else None,
    )


def _could_find(rule: Rule, run: ScoredRun) -> bool:
    """Return whether a run has what the rule detects; how they died is not recorded of them."""
    if isinstance(rule.condition, CrashCondition):
        return False
    return bool(set(rule.detects) & set(run.labels.expected))


def _right(rule: Rule, run: ScoredRun) -> Sequence[ScoredInsight]:
    return [each for each in _of(rule, run) if each.is_right]


def _of(rule: Rule, run: ScoredRun) -> Sequence[ScoredInsight]:
    return [each for each in run.insights if each.rule == rule.id]
