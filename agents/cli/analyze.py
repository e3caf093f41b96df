"""ptt-agents analyze: judges episodes by the rules for agents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.agents.cli.traces import (
    BadRecords,
    format_option,
    paths_argument,
    reading,
    skip_option,
)
from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.severity import Severity

if TYPE_CHECKING:
    from post_training_toolkit.agents.analysis import Analysis
    from post_training_toolkit.agents.readers.trace_format import TraceFormat


@click.command()
@paths_argument
@format_option
@skip_option
@click.option(
    "--as",
    "output",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="How the result is printed.",
)
@click.option(
    "--rules",
    "rule_paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Rule files of your own, beside the shipped rules; may be given several times.",
)
@click.option(
    "--waiting-tool",
    "waiting_tools",
    multiple=True,
    metavar="NAME",
    help="A tool that may be asked again and again, such as one that polls a build.",
)
@click.option(
    "--final-tool",
    "final_tools",
    multiple=True,
    metavar="NAME",
    help="A tool that ends an episode, such as one that submits the answer.",
)
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many episodes an insight names.",
)
@click.option(
    "--fail-on",
    type=click.Choice([str(each) for each in Severity]),
    help="Exit 1 when an insight reached this severity.",
)
def analyze(
    paths: tuple[Path, ...],
    trace_format: TraceFormat | None,
    skip_bad: bool,
    output: str,
    rule_paths: tuple[Path, ...],
    waiting_tools: tuple[str, ...],
    final_tools: tuple[str, ...],
    examples: int,
    fail_on: str | None,
) -> None:
    """Say what episodes show: loops, tool errors, success by kind of prompt, tokens and cost.

    Every insight names how many episodes it is about, with an interval, and the first of them with
    the step to look at: `ptt-agents show PATH EPISODE` prints it.

    \b
    Examples:
      ptt-agents analyze agent_runs.jsonl
      ptt-agents analyze logs/ --as markdown > agents.md
      ptt-agents analyze runs.jsonl --rules team_rules/ --fail-on high
      ptt-agents analyze runs.jsonl --waiting-tool check_build --final-tool submit
    """  # noqa: D301 - click looks for the character itself
    from post_training_toolkit.agents.analysis import AnalysisSettings
    from post_training_toolkit.agents.analysis import analyze as analyze_episodes

    settings = AnalysisSettings(frozenset(waiting_tools), frozenset(final_tools), examples)
    bad = BadRecords(skip=skip_bad)
    try:
        with reading(paths, trace_format, bad) as episodes:
            analysis = analyze_episodes(episodes, rules=rule_paths, settings=settings)
    except InvalidRulesError as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    bad.finish()
    _print(analysis, output)
    sys.exit(FINDINGS if fail_on is not None and _reaches(analysis, fail_on) else CLEAN)


def _print(analysis: Analysis, output: str) -> None:
    import orjson

    match output:
        case "json":
            click.echo(orjson.dumps(analysis.to_json(), option=orjson.OPT_INDENT_2))
        case "markdown":
            click.echo(analysis.to_markdown(), nl=False)
        case _:
            click.echo(analysis.to_text())


def _reaches(analysis: Analysis, severity: str) -> bool:
    least = Severity(severity).rank
    return any(insight.severity.rank >= least for insight in analysis.insights)
