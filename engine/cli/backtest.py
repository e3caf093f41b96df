"""ptt-rules backtest: measures rules on labelled runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.engine.cli.progress import with_progress
from post_training_toolkit.engine.cli.rule_files import load_rules

if TYPE_CHECKING:
    from post_training_toolkit.engine.backtest_report import BacktestReport
    from post_training_toolkit.rules.model import RuleBundle


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--rules",
    "rule_paths",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Own rules, measured together with the shipped ones. Repeatable.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Tables, or one JSON document that holds every insight of every run too.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs that are read at the same time, each in a process of its own.",
)
@click.option(
    "--min-detection",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Exit 1 when a smaller share of what is to be found was found.",
)
@click.option(
    "--max-false-alarms",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Exit 1 when there are more false alarms from medium up, in all runs together.",
)
@click.option(
    "--suggest",
    is_flag=True,
    help="Find for each threshold where its rule falls silent on all healthy runs.",
)
def backtest(
    folder: Path,
    rule_paths: tuple[Path, ...],
    output: str,
    jobs: int,
    min_detection: float | None,
    max_false_alarms: int | None,
    suggest: bool,
) -> None:
    """Measure rules on labelled runs: what they find, how late, and how often they cry wolf.

    FOLDER holds a folder for each run, with its metrics in log.jsonl or metrics.jsonl and its
    labels in run.yaml. An insight is right if it fires at or after the onset of the fault and one
    of the failure modes that its rule detects is expected or acceptable there; any other insight
    from medium up is a false alarm.

    \b
    A run.yaml:
      trainer: dpo
      hyperparameters: {beta: 0.1, max_steps: 200}
      fault: label_flip                 # null for a healthy run
      onset_step: 71                    # null for a healthy run
      expected: [margin_collapse, win_rate_drop]
      match: any                        # or all
      acceptable: [gradient_instability]

    \b
    Examples:
      ptt-rules backtest labelled_runs/ --jobs 4
      ptt-rules backtest labelled_runs/ --rules team_rules/ --max-false-alarms 0
      ptt-rules backtest labelled_runs/ --suggest --format json
    """  # noqa: D301 - click looks for the character itself
    _, bundle = load_rules(rule_paths)
    report = _report(folder, bundle, jobs, suggest=suggest)
    _print(output, report)
    for broken in report.broken:
        click.echo(broken.problem, err=True)
    if report.broken:
        sys.exit(INVALID_INPUT)
    failures = _gates(report, min_detection, max_false_alarms)
    for failure in failures:
        click.echo(failure, err=True)
    sys.exit(FINDINGS if failures else CLEAN)


def _report(folder: Path, bundle: RuleBundle, jobs: int, *, suggest: bool) -> BacktestReport:
    # river takes a while to import, which --help should not.
    from post_training_toolkit.engine import backtest_suggestion
    from post_training_toolkit.engine.backtest import backtest as score_folders
    from post_training_toolkit.engine.backtest_report import backtest_report
    from post_training_toolkit.engine.backtest_score import ScoredRun
    from post_training_toolkit.engine.labelled_run import LABELS, find_labelled_runs
    from post_training_toolkit.rules.catalogue import AGENTS

    folders = find_labelled_runs(folder)
    if not folders:
        raise click.UsageError(f"no labelled run in {folder}: no folder in it has a {LABELS}")
    results = list(
        with_progress(score_folders(folders, bundle.sources, jobs), len(folders), "scoring")
    )
    # Labelled runs are trainings; rules for agents have nothing to say there.
    rules = tuple(rule for rule in bundle.rules if rule.gate.trainers != {AGENTS})
    if not suggest:
        return backtest_report(results, rules)
    healthy = [
        each
        for each, result in zip(folders, results, strict=True)
        if isinstance(result, ScoredRun) and result.healthy
    ]
    positions = backtest_suggestion.quiet_positions_of(healthy, bundle.sources, jobs)
    suggestions = backtest_suggestion.suggestions(
        rules, with_progress(positions, len(healthy), "searching")
    )
    return backtest_report(results, rules, suggestions)


def _print(output: str, report: BacktestReport) -> None:
    from post_training_toolkit.engine.backtest_report import json_report, text_report

    if output == "json":
        click.echo(json_report(report), nl=False)
    else:
        click.echo(text_report(report), nl=False)


def _gates(
    report: BacktestReport, min_detection: float | None, max_false_alarms: int | None
) -> Sequence[str]:
    """Return a line for each figure that is worse than what was asked for."""
    failures = []
    sums = report.totals
    if min_detection is not None and (sums.detection or 0.0) < min_detection:
        failures.append(
            f"found {sums.found} of {sums.to_find}, less than --min-detection {min_detection:g}"
        )
    if max_false_alarms is not None and sums.false_alarms > max_false_alarms:
        failures.append(
            f"{sums.false_alarms} false alarms, more than --max-false-alarms {max_false_alarms}"
        )
    return failures
