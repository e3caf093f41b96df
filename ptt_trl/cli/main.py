"""ptt: explains runs from their files, and how the behaviour of models changes."""

from __future__ import annotations

import click

from post_training_toolkit.engine.cli.commands import Commands
from post_training_toolkit.ptt_trl.cli.compare import compare
from post_training_toolkit.ptt_trl.cli.diff import diff
from post_training_toolkit.ptt_trl.cli.postmortem import postmortem
from post_training_toolkit.ptt_trl.cli.report import report
from post_training_toolkit.ptt_trl.cli.snapshot import snapshot


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="post-training-toolkit", prog_name="ptt")
def main() -> None:
    """Say what happened to a training run, from the files that it left.

    \b
    After a run:
      ptt report my_run/ptt          write its reports anew: Markdown, a page, plots
      ptt postmortem my_run/ptt      say how it died, and write what it could not write itself
      ptt diff my_run/ptt            say how the model's behaviour has changed since the start
      ptt compare one/ptt other/ptt  set runs side by side, and say which checkpoint to keep
      ptt snapshot checkpoint-500    ask a model fixed prompts, and measure what it says

    \b
    Exit codes of every command:
      0  written
      2  wrong usage, or a file that cannot be read or written
      3  invalid input
    """  # noqa: D301 - click looks for the character itself


main.add_command(snapshot)
main.add_command(diff)
main.add_command(compare)
main.add_command(report)
main.add_command(postmortem)
