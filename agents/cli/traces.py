"""The traces that a command is about: its options, and how they are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.engine.cli.progress import progress_of
from post_training_toolkit.rules.suggestion import did_you_mean

if TYPE_CHECKING:
    from post_training_toolkit.agents.episode import Episode
    from post_training_toolkit.agents.problem import TraceProblem
    from post_training_toolkit.agents.readers.trace_format import TraceFormat

Command = TypeVar("Command", bound=Callable[..., Any])


def _format(
    context: click.Context, parameter: click.Parameter, name: str | None
) -> TraceFormat | None:
    from post_training_toolkit.agents.readers.formats import FORMATS

    known = {each.name: each for each in FORMATS}
    if name is not None and name not in known:
        raise click.BadParameter(
            f"no format {name!r}{did_you_mean(name, known)}", context, parameter
        )
    return None if name is None else known[name]


paths_argument = click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
format_option = click.option(
    "--format",
    "trace_format",
    callback=_format,
    metavar="NAME",
    help="Format of the traces, where the content does not tell; see `ptt-agents validate --help`.",
)
skip_option = click.option(
    "--skip-bad", is_flag=True, help="Leave out records that cannot be read, and tell which."
)


class BadRecords:
    """Tells each record that cannot be read, on stderr, and counts them."""

    def __init__(self, *, skip: bool) -> None:
        self._skip = skip
        self.count = 0

    def tell(self, problem: TraceProblem) -> None:
        """Take one in."""
        self.count += 1
        click.echo(str(problem), err=True)

    def finish(self) -> None:
        """Leave the command with code 3 unless bad records were to be skipped."""
        if not self.count:
            return
        records = "1 record" if self.count == 1 else f"{self.count} records"
        if self._skip:
            click.echo(f"{records} skipped", err=True)
            return
        click.echo(f"{records} cannot be read; leave them out with --skip-bad", err=True)
        sys.exit(INVALID_INPUT)


@contextmanager
def reading(
    paths: Sequence[Path], trace_format: TraceFormat | None, bad: BadRecords
) -> Iterator[Iterator[Episode]]:
    """Give the episodes one after another, behind a bar; bad records are told on the way."""
    from post_training_toolkit.agents.problem import TraceProblem
    from post_training_toolkit.agents.readers.choose import read_paths

    def episodes(advance: Callable[[int], object]) -> Iterator[Episode]:
        for each in read_paths(paths, trace_format, advance):
            if isinstance(each, TraceProblem):
                bad.tell(each)
            else:
                yield each

    with progress_of(sum(map(_size, paths)), "reading") as advance:
        yield episodes(advance)


def _size(path: Path) -> int:
    from post_training_toolkit.agents.readers.choose import files_in

    files = files_in(path) if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files)
