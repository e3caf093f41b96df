"""ptt compare: sets runs side by side, and says which checkpoint to keep."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT, USAGE
from post_training_toolkit.engine.cli.recorded_run import given_description, recording_options
from post_training_toolkit.ptt_trl.cli.run_reading import read_record


@click.command()
@click.argument("paths", metavar="RUN...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--align",
    type=click.Choice(["step", "tokens", "fraction"]),
    default="step",
    show_default=True,
    help="What lays the metrics of runs over each other: optimizer steps, tokens seen, or the "
    "share of the planned steps.",
)
@click.option(
    "--at",
    metavar="STEP",
    type=click.IntRange(min=0),
    help="Compare the snapshots nearest to this step; the last ones if not given.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file instead of stdout.",
)
@recording_options
def compare(
    paths: tuple[Path, ...],
    align: str,
    at: int | None,
    output_format: str,
    output: Path | None,
    kept_as: str | None,
    run: str | None,
    rule_paths: tuple[Path, ...],
    trainer: str | None,
    config_path: Path | None,
    max_steps: int | None,
    logging_steps: int | None,
) -> None:
    """Compare runs: arguments, insights, metrics, behaviour, and which checkpoint to keep.

    Each RUN is a folder that DiagnosticsCallback wrote, or what another tool kept of a run, as for
    ptt report. The first one is what the others are set against. Options that describe a run hold
    for all of them.

    \b
    Examples:
      ptt compare beta-0.1/ptt beta-0.5/ptt
      ptt compare small/ptt large/ptt --align tokens
      ptt compare before/ptt after/ptt --format html --output comparison.html
    """  # noqa: D301 - click looks for the character itself
    _require_several(paths)
    given = given_description(trainer, config_path, max_steps, logging_steps)
    try:
        from post_training_toolkit.ptt_trl.comparison.alignment import Alignment, AlignmentError
        from post_training_toolkit.ptt_trl.comparison.page import render_page
        from post_training_toolkit.ptt_trl.comparison.run_comparison import compare_runs
        from post_training_toolkit.ptt_trl.comparison.text import render_text
        from post_training_toolkit.ptt_trl.comparison.writing import to_json
        from post_training_toolkit.ptt_trl.snapshots.snapshot_file import SnapshotFileError
    except ModuleNotFoundError as error:
        command = 'pip install "post-training-toolkit[trl]"'
        click.echo(f"ptt compare needs {error.name}; run: {command}", err=True)
        sys.exit(USAGE)
    records = [read_record(path, kept_as, run, rule_paths, given) for path in paths]
    try:
        comparison = compare_runs(records, Alignment(align), at)
    except (AlignmentError, SnapshotFileError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    render = {"text": render_text, "json": to_json, "html": render_page}[output_format]
    content = render(comparison)
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_text(content, encoding="utf-8")
        click.echo(output)
    sys.exit(INVALID_INPUT if any(each.log.broken is not None for each in records) else 0)


def _require_several(paths: tuple[Path, ...]) -> None:
    """End the command with a usage error unless there are two different runs at least."""
    if len(paths) < 2:
        raise click.UsageError(
            "expected two runs or more; ptt report RUN says what happened to a single one"
        )
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise click.UsageError(f"{path} was given twice; give each run once")
        seen.add(path.resolve())
