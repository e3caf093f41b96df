"""Reads any run that a command was given, with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.engine.cli.progress import progress_of
from post_training_toolkit.engine.cli.recorded_run import open_recorded_run

if TYPE_CHECKING:
    from post_training_toolkit.engine.readers.description import GivenDescription
    from post_training_toolkit.ptt_trl.report.run_record import RunRecord

_BLOCK = 1 << 20


def read_record(
    path: Path,
    kept_as: str | None,
    run: str | None,
    rule_paths: Sequence[Path],
    given: GivenDescription,
) -> RunRecord:
    """Read the run, and judge it where its files do not say all; what is invalid ends this."""
    from post_training_toolkit.engine.readers.choose import recording_format
    from post_training_toolkit.engine.readers.description import GivenDescription
    from post_training_toolkit.engine.readers.recording import RecordingError, RecordingFormat
    from post_training_toolkit.engine.replay import RunDirectoryError
    from post_training_toolkit.engine.run_files import METRICS
    from post_training_toolkit.engine.watched_engine import WatchedEngine
    from post_training_toolkit.ptt_trl.report.reading import judge_recording, read_run
    from post_training_toolkit.rules.problem import InvalidRulesError

    try:
        chosen = recording_format(path) if kept_as is None else RecordingFormat(kept_as)
        if (
            chosen is RecordingFormat.RUN_DIRECTORY
            and given == GivenDescription()
            and not rule_paths
        ):
            with progress_of(_lines(path / METRICS), f"reading {path}") as advance:
                return read_run(path, advance=advance)
    except (InvalidRulesError, RecordingError, RunDirectoryError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    recording, rules = open_recorded_run(path, chosen, run, rule_paths, given)
    if chosen is RecordingFormat.RUN_DIRECTORY:
        return read_run(path, run=recording.run, rules=rules)
    with progress_of(len(recording.entries), f"judging {path}") as advance:
        engine = WatchedEngine(rules, recording.run, advance)
        return judge_recording(path, chosen, recording, engine)


def _lines(path: Path) -> int:
    """Return how many lines a file has, 0 without it."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
