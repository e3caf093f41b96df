"""ptt report: writes the reports of a run from its files alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT, USAGE
from post_training_toolkit.engine.cli.progress import progress_of
from post_training_toolkit.engine.cli.recorded_run import (
    given_description,
    open_recorded_run,
    recording_options,
)

if TYPE_CHECKING:
    from post_training_toolkit.engine.readers.description import GivenDescription
    from post_training_toolkit.ptt_trl.report.run_record import RunRecord

_ELSEWHERE = Path("ptt-report")
_BLOCK = 1 << 20


@click.command()
@click.argument("path", metavar="RUN_DIR", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write; RUN_DIR/reports, or ptt-report for what another tool recorded.",
)
@recording_options
def report(
    path: Path,
    output: Path | None,
    kept_as: str | None,
    run: str | None,
    rule_paths: tuple[Path, ...],
    trainer: str | None,
    config_path: Path | None,
    max_steps: int | None,
    logging_steps: int | None,
) -> None:
    """Write the reports of a run: run_report.md, run_report.html and plots.

    RUN_DIR is a folder that DiagnosticsCallback wrote, of a run that ended, died or goes on; or
    what another tool kept of a run: a trainer_state.json, a CSV, TensorBoard event files, a .wandb
    file and others, whose insights are computed by the shipped rules.

    \b
    Examples:
      ptt report my_run/ptt
      ptt report checkpoint-500/trainer_state.json --trainer dpo --config args.yaml
      ptt report export.csv --rules team_rules/ --output reports/my-run
    """  # noqa: D301 - click looks for the character itself
    given = given_description(trainer, config_path, max_steps, logging_steps)
    try:
        from post_training_toolkit.ptt_trl.report.content import compose
        from post_training_toolkit.ptt_trl.report.reading import REPORTS
        from post_training_toolkit.ptt_trl.report.writing import WRITERS
    except ModuleNotFoundError as error:
        command = 'pip install "post-training-toolkit[trl]"'
        click.echo(
            f"ptt report needs {error.name}, which is not installed; run: {command}", err=True
        )
        sys.exit(USAGE)
    record = _read(path, kept_as, run, rule_paths, given)
    for problem in record.problems:
        click.echo(f"{path}: {problem}", err=True)
    folder = output or (path / REPORTS if record.recorded_as is None else _ELSEWHERE)
    composed = compose(record)
    for write in WRITERS.values():
        for written in write(composed, folder):
            click.echo(written)
    sys.exit(INVALID_INPUT if record.log.broken is not None else 0)


def _read(
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
            with progress_of(_lines(path / METRICS), "reading") as advance:
                return read_run(path, advance=advance)
    except (InvalidRulesError, RecordingError, RunDirectoryError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    recording, rules = open_recorded_run(path, chosen, run, rule_paths, given)
    if chosen is RecordingFormat.RUN_DIRECTORY:
        return read_run(path, run=recording.run, rules=rules)
    with progress_of(len(recording.entries), "judging") as advance:
        engine = WatchedEngine(rules, recording.run, advance)
        return judge_recording(path, chosen, recording, engine)


def _lines(path: Path) -> int:
    """Return how many lines a file has, 0 without it."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
