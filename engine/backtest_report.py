"""Shows a back-test: as text for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from post_training_toolkit.engine.backtest import BrokenRun
from post_training_toolkit.engine.backtest_score import ScoredInsight, ScoredRun
from post_training_toolkit.engine.backtest_suggestion import Suggestion
from post_training_toolkit.engine.backtest_totals import (
    ModeScore,
    RuleScore,
    Totals,
    mode_scores,
    rule_scores,
    totals,
)
from post_training_toolkit.engine.labelled_run import Match
from post_training_toolkit.engine.text_table import table
from post_training_toolkit.rules.model import Rule

_NONE = "-"


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """Everything that a back-test found; ``suggestions`` is None where none were asked for."""

    runs: Sequence[ScoredRun]
    broken: Sequence[BrokenRun]
    rules: Sequence[RuleScore]
    modes: Sequence[ModeScore]
    totals: Totals
    suggestions: Sequence[Suggestion] | None = None


def backtest_report(
    results: Iterable[ScoredRun | BrokenRun],
    rules: Sequence[Rule],
    suggestions: Sequence[Suggestion] | None = None,
) -> BacktestReport:
    """Sum the results up."""
    results = list(results)
    runs = [each for each in results if isinstance(each, ScoredRun)]
    broken = [each for each in results if isinstance(each, BrokenRun)]
    return BacktestReport(
        runs, broken, rule_scores(runs, rules), mode_scores(runs, rules), totals(runs), suggestions
    )


def text_report(report: BacktestReport) -> str:
    """Return tables per rule and per failure mode, what went wrong where, and the totals."""
    blocks = [
        _rule_lines(report.rules),
        _mode_lines(report.modes),
        _missed_lines(report.runs),
        _insight_lines("false alarms:", report.runs, counted=True),
        _insight_lines(
            "would be false alarms, but are of low severity:", report.runs, counted=False
        ),
        [f"{run.name}: failed inside: {part}" for run in report.runs for part in run.failed_rules],
        _suggestion_lines(report.suggestions),
        _total_lines(report.totals),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def json_report(report: BacktestReport) -> bytes:
    """Return one JSON document with the same figures and every insight of every run."""
    summary = asdict(report.totals)
    summary["detection"] = report.totals.detection
    summary["false_alarms_per_1000_healthy_steps"] = (
        report.totals.false_alarms_per_1000_healthy_steps
    )
    document: dict[str, Any] = {
        "version": 1,
        "totals": summary,
        "rules": [asdict(each) for each in report.rules],
        "failure_modes": [asdict(each) for each in report.modes],
        "runs": [_run_data(run) for run in report.runs],
        "broken": [asdict(each) for each in report.broken],
    }
    if report.suggestions is not None:
        document["suggestions"] = [asdict(each) for each in report.suggestions]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _run_data(run: ScoredRun) -> dict[str, Any]:
    return {
        "run": run.name,
        "trainer": run.trainer,
        **asdict(run.labels),
        "logged_steps": len(run.logged_steps),
        "found": run.delays,
        "missed": run.missed,
        "failed_rules": run.failed_rules,
        "insights": [asdict(each) for each in run.insights],
    }


def _rule_lines(scores: Sequence[RuleScore]) -> list[str]:
    fired = [each for each in scores if each.fired or each.low]
    silent = [each.rule for each in scores if not (each.fired or each.low)]
    header = ["rule", "fired", "right", "false alarms", "low", "delay"]
    rows = [
        [
            each.rule,
            *map(str, (each.fired, each.right, each.false_alarms, each.low)),
            _number(each.delay),
        ]
        for each in fired
    ]
    lines = table(header, rows) if rows else []
    return [*lines, f"never fired: {', '.join(silent)}"] if silent else lines


def _mode_lines(scores: Sequence[ModeScore]) -> list[str]:
    if not scores:
        return []
    header = ["failure mode", "expected", "found", "missed", "delay", ""]
    rows = [
        [
            each.mode,
            *map(str, (each.expected, each.found, each.missed)),
            _number(each.delay),
            "" if each.has_rule else "no rule detects it",
        ]
        for each in scores
    ]
    return table(header, rows)


def _missed_lines(runs: Iterable[ScoredRun]) -> list[str]:
    lines = [
        f"  {run.name}: {(' or ' if run.labels.match is Match.ANY else ', ').join(run.missed)}"
        for run in runs
        if run.missed
    ]
    return ["missed:", *lines] if lines else []


def _insight_lines(title: str, runs: Iterable[ScoredRun], *, counted: bool) -> list[str]:
    rows = [
        ["", run.name, each.rule, str(each.severity), f"step {each.step}", _why(each)]
        for run in runs
        for each in run.insights
        if each.counts is counted and not each.is_right
    ]
    return [title, *table([""] * 6, rows, left=6)[1:]] if rows else []


def _why(insight: ScoredInsight) -> str:
    _, _, why = insight.verdict.partition(": ")
    return why


def _suggestion_lines(suggestions: Sequence[Suggestion] | None) -> list[str]:
    if suggestions is None:
        return []
    header = ["rule", "level", "threshold", "today", "quiet from", "margin"]
    rows = [
        [
            each.rule,
            str(each.severity),
            f"{each.statistic} of {each.metric} {each.comparison}",
            "x 1" if each.today is None else f"{each.today:.4g}",
            _quiet_from(each),
            _margin(each.margin),
        ]
        for each in suggestions
    ]
    explained = (
        "quiet from: the threshold at which the rule just stays silent on every healthy run, all "
        "else as it is; 'x' is a factor for thresholds that depend on the configuration, '-' says "
        "that no threshold makes it fire. margin: the room up to today's, negative where it fires."
    )
    return [*table(header, rows, left=3), explained]


def _quiet_from(suggestion: Suggestion) -> str:
    if suggestion.quiet_from is None:
        return _NONE
    factor = "x " if suggestion.today is None else ""
    return f"{factor}{suggestion.quiet_from:.3g}"


def _margin(margin: float | None) -> str:
    if margin is None:
        return _NONE
    # Beyond that a percentage is hard to read.
    return f"{margin:+.0%}" if abs(margin) < 10 else f"{margin:+.1g} times"


def _total_lines(sums: Totals) -> list[str]:
    rate = sums.false_alarms_per_1000_healthy_steps
    share = "" if sums.detection is None else f" ({sums.detection:.1%})"
    in_faulty = sums.false_alarms - sums.false_alarms_in_healthy_runs
    return [
        f"{sums.runs} runs, {sums.healthy_runs} of them healthy; {sums.steps} logged steps, "
        f"{sums.healthy_steps} of them healthy",
        f"found: {sums.found} of {sums.to_find}{share}, median delay {_number(sums.delay)} "
        "logged steps",
        f"false alarms from medium up: {sums.false_alarms_in_healthy_runs} in healthy runs"
        + ("" if rate is None else f", {rate:.2f} per 1000 logged steps")
        + f"; {in_faulty} in others",
        f"insights of low severity, not counted: {sums.low}",
    ]


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:g}"
