"""ptt-rules replay: runs the metrics of a recorded run through the engine again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.rules.problem import InvalidRulesError


@click.command()
@click.argument(
    "run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN_DIR"
)
def replay(run_dir: Path) -> None:
    """Print the insights of a recorded run, computed anew from its metrics.

    RUN_DIR is a folder that DiagnosticsCallback wrote. The output is what its insights.jsonl holds,
    byte for byte, so that a diagnosis can be checked long after the run.

    \b
    Example:
      ptt-rules replay my_run/ptt | diff - my_run/ptt/insights.jsonl
    """  # noqa: D301 - click looks for the character itself
    # river takes a while to import, which --help should not.
    from post_training_toolkit.engine.insights_file import insight_line
    from post_training_toolkit.engine.metrics_file import MetricsFileError
    from post_training_toolkit.engine.replay import RunDirectoryError, replay_run_directory

    try:
        for event in replay_run_directory(run_dir):
            click.echo(insight_line(event), nl=False)
    except (InvalidRulesError, MetricsFileError, RunDirectoryError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
