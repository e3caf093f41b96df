"""ptt-rules validate: checks rule files without loading an engine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.formats.registry import FORMATS
from post_training_toolkit.engine.cli.rule_files import read_rule_files
from post_training_toolkit.engine.cli.validation import validate_files


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="text",
    help="How to say it: lines, JSON, JUnit XML, GitHub annotations, SARIF 2.1.0.",
)
@click.option("--strict", is_flag=True, help="Exit 1 when a valid rule has a finding.")
def validate(paths: tuple[Path, ...], format_name: str, strict: bool) -> None:
    """Check rule files; every mistake of every file is reported at once, with its place.

    PATH is a rule file, a file of rule tests, or a folder of them. They are checked together and
    with the shipped packs, as DiagnosticsCallback loads them, so that an id used twice is found.
    Without a PATH the shipped packs are checked.

    An error makes a file unusable. A finding, which has a code such as dead-rule, is valid but
    probably not meant: a metric that no trainer logs, a rule that another one covers, a threshold
    that can never hold.

    \b
    Examples:
      ptt-rules validate my_rules.yaml
      ptt-rules validate team_rules/ more_rules.yaml --strict
      ptt-rules validate team_rules/ --format github     annotate a pull request
      ptt-rules validate team_rules/ --format sarif > rules.sarif
    """  # noqa: D301 - click looks for the character itself
    validation = validate_files(read_rule_files(paths))
    click.echo(FORMATS[format_name](validation), nl=False)
    click.echo(validation.summary(), err=True)
    sys.exit(validation.exit_code(strict=strict))
