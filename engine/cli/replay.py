"""ptt-rules replay: runs a recorded run through the engine again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.engine.cli.progress import progress_of
from post_training_toolkit.engine.cli.recorded_run import (
    given_description,
    open_recorded_run,
    recording_options,
)
from post_training_toolkit.rules.severity import Severity

if TYPE_CHECKING:
    from post_training_toolkit.engine.coverage import NotRun
    from post_training_toolkit.engine.event import Event
    from post_training_toolkit.engine.readers.description import DescribedRecording
    from post_training_toolkit.rules.model import Rule

_FORMATS = ("text", "json", "jsonl")


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "output",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="A timeline, one JSON list of insights, or the lines of insights.jsonl byte for byte.",
)
@recording_options
@click.option(
    "--fail-on",
    type=click.Choice([str(each) for each in Severity]),
    help="Exit 1 when an insight reached this severity.",
)
def replay(
    path: Path,
    output: str,
    kept_as: str | None,
    run: str | None,
    rule_paths: tuple[Path, ...],
    trainer: str | None,
    config_path: Path | None,
    max_steps: int | None,
    logging_steps: int | None,
    fail_on: str | None,
) -> None:
    """Print the insights of a recorded run, computed anew from its metrics.

    PATH is a folder that DiagnosticsCallback wrote, or what another tool kept of a run: a metrics
    .jsonl, a trainer_state.json, a CSV with a column for the step, TensorBoard event files, a
    .wandb file, a W&B history as JSON lines, or the database of a Trackio project.

    \b
    Examples:
      ptt-rules replay my_run/ptt
      ptt-rules replay my_run/ptt --format jsonl | diff - my_run/ptt/insights.jsonl
      ptt-rules replay checkpoint-500/trainer_state.json --trainer dpo --config args.yaml
      ptt-rules replay export.csv --run my-run --rules team_rules/ --fail-on high
    """  # noqa: D301 - click looks for the character itself
    # The engine takes a while to import, which --help should not.
    from post_training_toolkit.engine.seams import consolidate

    given = given_description(trainer, config_path, max_steps, logging_steps)
    recording, rules = open_recorded_run(path, kept_as, run, rule_paths, given)
    for note in (*recording.guesses, *consolidate(recording.entries).notes):
        click.echo(f"{path}: {note}", err=True)
    events, not_judged = _run(recording, rules)
    _print(output, events, not_judged)
    if recording.broken is not None:
        click.echo(recording.broken, err=True)
        sys.exit(INVALID_INPUT)
    sys.exit(FINDINGS if fail_on is not None and _reaches(events, Severity(fail_on)) else CLEAN)


def _run(
    recording: DescribedRecording, rules: Sequence[Rule]
) -> tuple[Sequence[Event], Sequence[NotRun]]:
    from post_training_toolkit.engine.replay import replay as replay_entries
    from post_training_toolkit.engine.watched_engine import WatchedEngine

    with progress_of(len(recording.entries), "replaying") as advance:
        engine = WatchedEngine(rules, recording.run, advance)
        return list(replay_entries(recording.entries, engine)), engine.coverage()


def _print(output: str, events: Sequence[Event], not_judged: Sequence[NotRun]) -> None:
    import orjson

    from post_training_toolkit.engine.episode_record import episode_record
    from post_training_toolkit.engine.event import episodes
    from post_training_toolkit.engine.insights_file import insight_line
    from post_training_toolkit.engine.timeline import summary, timeline

    match output:
        case "jsonl":
            click.echo(b"".join(map(insight_line, events)), nl=False)
        case "json":
            records = [episode_record(episode) for episode in episodes(events)]
            click.echo(orjson.dumps(records, option=orjson.OPT_INDENT_2))
        case _:
            for line in (*timeline(events), *summary(events, not_judged)):
                click.echo(line)


def _reaches(events: Sequence[Event], severity: Severity) -> bool:
    from post_training_toolkit.engine.event import episodes

    return any(episode.severity.rank >= severity.rank for episode in episodes(events))
