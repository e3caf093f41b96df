"""ptt-agents validate: finds every record of traces that cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.agents.cli.traces import format_option, paths_argument
from post_training_toolkit.engine.cli.exit_codes import CLEAN, INVALID_INPUT
from post_training_toolkit.engine.cli.progress import progress_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from post_training_toolkit.agents.readers.trace_format import TraceFormat


class _NamesFormats(click.Command):
    """Lists the formats below the options: they are loaded only when somebody asks."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from post_training_toolkit.agents.readers.formats import FORMATS

        with formatter.section("Formats"):
            formatter.write_dl([(each.name, each.title) for each in FORMATS])


@click.command(cls=_NamesFormats)
@paths_argument
@format_option
def validate(paths: tuple[Path, ...], trace_format: TraceFormat | None) -> None:
    """Read all traces and list every record that cannot be read, with its place.

    Prints what each file holds; bad records go to stderr. Exits with 3 if there are any, or if a
    file is of no format that is known. In a folder such files are only counted.

    \b
    Examples:
      ptt-agents validate agent_runs.jsonl
      ptt-agents validate logs/ trajectories/ --format atif
    """  # noqa: D301 - click looks for the character itself
    from post_training_toolkit.agents.readers.choose import files_in

    unknown = bad = 0
    files = [(each, False) for each in paths if not each.is_dir()]
    files += [(inside, True) for each in paths if each.is_dir() for inside in files_in(each)]
    with progress_of(sum(file.stat().st_size for file, _ in files), "reading") as advance:
        for file, in_folder in files:
            found = _validate_file(file, trace_format, advance)
            if found is None:
                unknown += in_folder
                bad += not in_folder
                if not in_folder:
                    click.echo(f"{file}: no format that is known here; see --help", err=True)
            else:
                bad += found
    if unknown:
        click.echo(f"{unknown} files in folders are of no format that is known here", err=True)
    if unknown == len(files):
        bad += 1
    sys.exit(INVALID_INPUT if bad else CLEAN)


def _validate_file(
    path: Path, trace_format: TraceFormat | None, advance: Callable[[int], object]
) -> int | None:
    """Print what a file holds and return how many bad records; None for an unknown format."""
    from post_training_toolkit.agents.problem import TraceProblem
    from post_training_toolkit.agents.readers.choose import find_format
    from post_training_toolkit.agents.readers.records import TraceFile

    file = TraceFile(path, advance)
    found = trace_format or find_format(file)
    if found is None:
        return None
    episodes = unended = bad = 0
    for each in found.read(file):
        if isinstance(each, TraceProblem):
            bad += 1
            click.echo(str(each), err=True)
        else:
            episodes += 1
            unended += not each.ended
    broken_off = f", {unended} without an end" if unended else ""
    told = f", {bad} bad records" if bad else ""
    click.echo(f"{path}: {found.name}, {episodes} episodes{broken_off}{told}")
    return bad
