"""ptt-rules new: writes a first rule and its test."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import click

from post_training_toolkit.engine.cli.formats.text import format_text
from post_training_toolkit.engine.cli.rule_files import read_rule_files
from post_training_toolkit.engine.cli.validation import validate_files
from post_training_toolkit.engine.new_rule import NewRule
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.catalogue import rule_subjects
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.relations import current_ids
from post_training_toolkit.rules.sources import shipped_sources
from post_training_toolkit.schemas import load_schema

# Beside the new file, so that its first line finds the schemas wherever the project is checked out.
_SCHEMA_FOLDER = ".ptt-schemas"
_SCHEMAS = ("rules", "rule_tests")


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--metric", default="loss", show_default=True, help="What the rule watches.")
@click.option(
    "--trainer",
    type=click.Choice(rule_subjects()),
    help="The trainer that the rule is for; every one when left out.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rule file to write; ID.yaml when left out.",
)
def new(identifier: str, metric: str, trainer: str | None, output: Path | None) -> None:
    """Write a commented rule that is valid as it is, and a test that it passes.

    The test lies beside the rule, as ID.test.yaml, and the JSON Schemas that let an editor complete
    and check as you type in a folder .ptt-schemas. Nothing of yours is overwritten.

    \b
    Examples:
      ptt-rules new answers_shrink --trainer grpo --metric completions/mean_length
      ptt-rules new my_rule --output team_rules/my_rule.yaml
    """  # noqa: D301 - click looks for the character itself
    _check_identifier(identifier)
    rule_file = output if output is not None else Path(f"{identifier}.yaml")
    if rule_file.suffix not in (".yaml", ".yml"):
        raise click.BadParameter(f"{rule_file} must end in .yaml", param_hint="--output")
    test_file = rule_file.with_suffix(f".test{rule_file.suffix}")
    for path in (rule_file, test_file):
        if path.exists():
            raise click.UsageError(f"{path} exists; choose another file with --output")
    rule = NewRule(identifier, metric, trainer)
    schemas = {f"{_SCHEMA_FOLDER}/{name}.schema.json": name for name in _SCHEMAS}
    texts = {
        rule_file: rule.rule_text(f"{_SCHEMA_FOLDER}/rules.schema.json"),
        test_file: rule.test_text(f"{_SCHEMA_FOLDER}/rule_tests.schema.json", rule_file.name),
    }
    for place, name in schemas.items():
        texts[rule_file.parent / place] = json.dumps(load_schema(name), indent=2) + "\n"
    _check_rule(Source(str(rule_file), texts[rule_file].encode()))
    _write(texts)
    click.echo(rule_file)
    click.echo(test_file)
    # Such as a metric that this trainer never logs.
    click.echo(format_text(validate_files(read_rule_files([rule_file]))), nl=False, err=True)
    click.echo(
        f"next: edit both, then ptt-rules validate {rule_file} {test_file} "
        f"and ptt-rules test {test_file}",
        err=True,
    )


def _check_identifier(identifier: str) -> None:
    pattern = load_schema("rules")["$defs"]["id"]["pattern"]
    if not re.search(pattern, identifier):
        close = re.sub(r"[^a-z0-9]+", "_", identifier.lower()).strip("_0123456789")
        hint = f"; did you mean {close!r}?" if close else ""
        message = (
            "an id begins with a lower-case letter and goes on with these, digits and underscores"
        )
        raise click.BadParameter(f"{identifier!r}: {message}{hint}", param_hint="ID")
    taken = current_ids(load_bundle(shipped_sources()).rules)
    if identifier in taken:
        message = f"a shipped rule has the id {identifier!r}; see ptt-rules explain {identifier}"
        raise click.BadParameter(message, param_hint="ID")


def _check_rule(source: Source) -> None:
    """Refuse what cannot be watched before anything is written."""
    try:
        load_bundle([source])
    except InvalidRulesError as error:
        raise click.BadParameter(error.problems[0].message, param_hint="--metric") from None


def _write(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
