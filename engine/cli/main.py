"""ptt-rules: author, check and replay rules."""

from __future__ import annotations

import click

from post_training_toolkit.engine.cli.backtest import backtest
from post_training_toolkit.engine.cli.commands import Commands
from post_training_toolkit.engine.cli.docs import docs
from post_training_toolkit.engine.cli.explain import explain
from post_training_toolkit.engine.cli.list_rules import list_rules
from post_training_toolkit.engine.cli.new import new
from post_training_toolkit.engine.cli.replay import replay
from post_training_toolkit.engine.cli.schema import schema
from post_training_toolkit.engine.cli.test import run_tests
from post_training_toolkit.engine.cli.validate import validate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="post-training-toolkit", prog_name="ptt-rules")
def main() -> None:
    """Write, check, test and measure the rules that watch your post-training runs.

    \b
    From a first rule to CI:
      ptt-rules new reward_stalls --metric reward   write a commented rule and a test of it
      ptt-rules validate team_rules/ --strict       find every mistake, with its place
      ptt-rules test team_rules/ --coverage         run the tests of the rules
      ptt-rules replay trainer_state.json           see what the rules say of a recorded run
      ptt-rules backtest labelled_runs/ --jobs 4    score the rules on runs whose fault is known
      ptt-rules explain dpo_loss_random             all there is to know about a rule

    \b
    Exit codes of every command:
      0  clean
      1  findings, failed tests, or a limit that was asked for is passed
      2  wrong usage
      3  invalid input
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
