"""ptt report: writes the reports of a run from its files alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT, USAGE
from post_training_toolkit.engine.cli.recorded_run import given_description, recording_options
from post_training_toolkit.ptt_trl.cli.run_reading import read_record

_ELSEWHERE = Path("ptt-report")


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
    record = read_record(path, kept_as, run, rule_paths, given)
    for problem in record.problems:
        click.echo(f"{path}: {problem}", err=True)
    folder = output or (path / REPORTS if record.recorded_as is None else _ELSEWHERE)
    composed = compose(record)
    for write in WRITERS.values():
        for written in write(composed, folder):
            click.echo(written)
    sys.exit(INVALID_INPUT if record.log.broken is not None else 0)
