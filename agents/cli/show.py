"""ptt-agents show: prints an episode so that it can be read in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.agents.cli.traces import BadRecords, format_option, reading
from post_training_toolkit.engine.cli.exit_codes import USAGE
from post_training_toolkit.rules.suggestion import guess

if TYPE_CHECKING:
    from post_training_toolkit.agents.readers.trace_format import TraceFormat


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.argument("episode_id", required=False, metavar="[EPISODE]")
@format_option
@click.option("--full", is_flag=True, help="Show texts whole, however long they are.")
def show(path: Path, episode_id: str | None, trace_format: TraceFormat | None, full: bool) -> None:
    """Print EPISODE of the traces in PATH; without one, list those that there are.

    \b
    Examples:
      ptt-agents show agent_runs.jsonl
      ptt-agents show agent_runs.jsonl ep_001
      ptt-agents show results/ airline-7 --full | less -R
    """  # noqa: D301 - click looks for the character itself
    from post_training_toolkit.agents.episode_text import episode_line, episode_text

    bad = BadRecords(skip=True)
    ids: list[str] = []
    with reading([path], trace_format, bad) as episodes:
        for episode in episodes:
            if episode_id is None:
                click.echo(episode_line(episode))
            elif episode.id == episode_id:
                for line in episode_text(episode, full=full):
                    click.echo(line)
                return
            ids.append(episode.id)
    bad.finish()
    if episode_id is not None:
        click.echo(
            f"{path}: no episode {episode_id!r} among {len(ids)}{guess(episode_id, ids)}", err=True
        )
        sys.exit(USAGE)
