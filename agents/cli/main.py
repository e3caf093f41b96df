"""ptt-agents: read, check, judge and convert agent traces."""

from __future__ import annotations

from typing import Any

import click

from post_training_toolkit.agents.cli.analyze import analyze
from post_training_toolkit.agents.cli.convert import convert
from post_training_toolkit.agents.cli.show import show
from post_training_toolkit.agents.cli.validate import validate
from post_training_toolkit.engine.cli.commands import Commands

# What the extra brings, and commands that read a trace need.
_OF_THE_EXTRA = ("datasets", "ijson", "msgspec")


class _TraceCommands(Commands):
    """Tells in one line that the extra is missing."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name not in _OF_THE_EXTRA:
                raise
            raise click.UsageError(
                f'{error.name} is not installed; run: pip install "post-training-toolkit[agents]"'
            ) from None


@click.group(cls=_TraceCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="post-training-toolkit", prog_name="ptt-agents")
def main() -> None:
    """See what your agents do, and turn what they did into training data for TRL.

    \b
    From a log to training data:
      ptt-agents validate agent_runs.jsonl            find every record that cannot be read
      ptt-agents show agent_runs.jsonl ep_001         read one episode
      ptt-agents analyze agent_runs.jsonl             loops, tool errors, success, cost
      ptt-agents convert agent_runs.jsonl --to preference-pairs --output pairs.parquet

    Traces are read in many formats, which are found by their content: `ptt-agents validate --help`
    names them. A PATH is a file or a folder of them; gzip is unpacked.

    \b
    Exit codes of every command:
      0  clean
      1  findings of a severity that was asked for
      2  wrong usage
      3  invalid input
    """  # noqa: D301 - click looks for the character itself


main.add_command(validate)
main.add_command(show)
main.add_command(analyze)
main.add_command(convert)
