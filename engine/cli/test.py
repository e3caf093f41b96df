"""ptt-rules test: runs unit tests of rules."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.rules.problem import InvalidRulesError

if TYPE_CHECKING:
    from post_training_toolkit.engine.rule_tests.running import RuleTestResult
    from post_training_toolkit.engine.rule_tests.suite import Suite


def _compile_pattern(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"{value!r} is no regular expression: {error}"
        raise click.BadParameter(message, context, parameter) from None


@click.command("test")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--rules",
    "rule_paths",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Test the rules of this file or folder too, beside what the tests name. Repeatable.",
)
@click.option(
    "--run",
    "pattern",
    metavar="REGEX",
    callback=_compile_pattern,
    help="Run only tests whose name matches.",
)
@click.option("--coverage", is_flag=True, help="Say which rules lack a test.")
@click.option(
    "--coverage-threshold",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 when fewer of the rules are covered.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a JUnit report too.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How results are printed.",
)
def run_tests(
    paths: tuple[Path, ...],
    rule_paths: tuple[Path, ...],
    pattern: re.Pattern[str] | None,
    coverage: bool,
    coverage_threshold: float | None,
    junit: Path | None,
    output: str,
) -> None:
    """Run unit tests of rules: series of metrics in, expected insights or silence out.

    PATH is a file of rule tests or a folder with such files, which have a key 'tests'. A file names
    its rules under 'rule_files'; they join the shipped ones. Without a PATH the tests of the
    shipped rules run. A rule is covered when the tests show that it fires, and that it stays silent
    where it could fire.

    \b
    Examples:
      ptt-rules test my_rule_tests.yaml
      ptt-rules test team_rules/ --coverage-threshold 100 --junit report.xml
      ptt-rules test --run 'loss.*spike' --coverage
    """  # noqa: D301 - click looks for the character itself
    # river takes a while to import, which --help should not.
    from post_training_toolkit.engine.rule_tests.coverage import covered_percent, measure_coverage
    from post_training_toolkit.engine.rule_tests.junit import junit_report
    from post_training_toolkit.engine.rule_tests.report import REPORTS

    suite, results = _run(paths, rule_paths, pattern)
    measured = None
    if coverage or coverage_threshold is not None:
        measured = measure_coverage(suite.rules, results)
    for paragraph in REPORTS[output](results, measured):
        click.echo(paragraph)
    if junit is not None:
        try:
            junit.write_bytes(junit_report(results))
        except OSError as error:
            raise click.UsageError(f"cannot write {junit}: {error.strerror}") from None
    failed = sum(not result.passed for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed", err=True)
    lacking = measured is not None and covered_percent(measured) < (coverage_threshold or 0.0)
    if lacking:
        click.echo(f"coverage is below {coverage_threshold:g} %", err=True)
    sys.exit(FINDINGS if failed or lacking else CLEAN)


def _run(
    paths: tuple[Path, ...], rule_paths: tuple[Path, ...], pattern: re.Pattern[str] | None
) -> tuple[Suite, tuple[RuleTestResult, ...]]:
    from post_training_toolkit.engine.rule_tests.suite import NothingToTestError, load_suite

    try:
        suite = load_suite(paths, rule_paths)
        return suite, suite.run(pattern)
    except InvalidRulesError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(INVALID_INPUT)
    except (NothingToTestError, FileNotFoundError) as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"cannot read {error.filename}: {error.strerror}") from None
