"""ptt-rules validate: checks rule files without loading an engine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.lint import lint_rule
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import (
    default_sources,
    expand_path,
    read_file,
    shipped_beside,
)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit 1 when a valid rule has a finding.")
def validate(paths: tuple[Path, ...], strict: bool) -> None:
    """Check rule files; every mistake of every file is reported at once, with its place.

    PATH is a rule file or a folder of them. They are checked together and with the shipped packs,
    as DiagnosticsCallback loads them, so that an id used twice is found. Without a PATH the shipped
    packs are checked. Findings are things that are valid but probably not meant, such as a metric
    that no trainer logs.

    \b
    Examples:
      ptt-rules validate my_rules.yaml
      ptt-rules validate team_rules/ more_rules.yaml --strict
    """  # noqa: D301 - click looks for the character itself
    sources = _sources(paths)
    try:
        # As the callback does: the shipped rules first, which these files join or change.
        bundle = load_bundle([*shipped_beside(sources), *sources])
    except InvalidRulesError as error:
        for problem in error.problems:
            click.echo(str(problem))
        click.echo(_count(len(error.problems), "problem"), err=True)
        sys.exit(INVALID_INPUT)
    checked = {source.name for source in sources}
    rules = [rule for rule in bundle.rules if rule.source in checked]
    findings = [finding for rule in rules for finding in lint_rule(rule)]
    for finding in findings:
        click.echo(f"{finding} (finding)")
    click.echo(
        f"{_count(len(rules), 'rule')} in {_count(len(checked), 'file')} valid, "
        f"{_count(len(findings), 'finding')}",
        err=True,
    )
    sys.exit(FINDINGS if strict and findings else CLEAN)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sources(paths: tuple[Path, ...]) -> list[Source]:
    if not paths:
        return list(default_sources())
    try:
        return [read_file(file) for path in paths for file in expand_path(path)]
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"cannot read {error.filename}: {error.strerror}") from None
