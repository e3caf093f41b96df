"""ptt-rules: author, check and replay rules."""

from __future__ import annotations

import click

from post_training_toolkit.engine.cli.backtest import backtest
from post_training_toolkit.engine.cli.docs import docs
from post_training_toolkit.engine.cli.explain import explain
from post_training_toolkit.engine.cli.list_rules import list_rules
from post_training_toolkit.engine.cli.new import new
from post_training_toolkit.engine.cli.replay import replay
from post_training_toolkit.engine.cli.schema import schema
from post_training_toolkit.engine.cli.test import run_tests
from post_training_toolkit.engine.cli.validate import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="post-training-toolkit", prog_name="ptt-rules")
def main() -> None:
    """Check the rules that watch your post-training runs, and replay recorded runs.

    \b
    Exit codes:
      0  clean
      1  findings (with --strict)
      2  wrong usage
      3  invalid input

    \b
    Examples:
      ptt-rules validate my_rules.yaml          check one file
      ptt-rules validate team_rules/ --strict   check a folder in CI
      ptt-rules replay my_run/ptt               print the insights of a recorded run again
    """  # noqa: D301 - click looks for the character itself


main.add_command(validate)
main.add_command(replay)
main.add_command(backtest)
main.add_command(run_tests)
main.add_command(list_rules)
main.add_command(explain)
main.add_command(schema)
main.add_command(docs)
main.add_command(new)
