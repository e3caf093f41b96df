"""ptt-rules schema: prints the JSON Schema of a file format."""

from __future__ import annotations

import json

import click

from post_training_toolkit.schemas import SCHEMA_NAMES, load_schema


@click.command()
@click.argument("name", type=click.Choice(SCHEMA_NAMES), default="rules")
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of a file format; of rule files without a NAME.

    An editor with a YAML language server completes and checks as you type when the first line of a
    file names the schema:

    \b
      # yaml-language-server: $schema=rules.schema.json

    \b
    Examples:
      ptt-rules schema > rules.schema.json
      ptt-rules schema rule_tests > rule_tests.schema.json
    """  # noqa: D301 - click looks for the character itself
    click.echo(json.dumps(load_schema(name), indent=2, ensure_ascii=False))
