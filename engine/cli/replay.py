"""ptt-rules replay: runs a recorded run through the engine again."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.engine.cli.progress import progress_of
from post_training_toolkit.engine.cli.rule_files import load_rules
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.profile import config_classes
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.suggestion import did_you_mean

if TYPE_CHECKING:
    from post_training_toolkit.engine.coverage import NotRun
    from post_training_toolkit.engine.event import Event
    from post_training_toolkit.engine.readers.description import (
        DescribedRecording,
        GivenDescription,
    )
    from post_training_toolkit.rules.model import Rule

_FORMATS = ("text", "json", "jsonl")
_KEPT_AS = (
    "run-directory",
    "metrics",
    "trainer-state",
    "csv",
    "history",
    "tensorboard",
    "wandb",
    "trackio",
)


def _known_trainer(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    known = set(config_classes().values())
    if value is not None and value not in known:
        message = f"no trainer {value!r}{did_you_mean(value, known)}"
        raise click.BadParameter(message, context, parameter)
    return value


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
@click.option(
    "--from",
    "kept_as",
    type=click.Choice(_KEPT_AS),
    help="What PATH is, where its content and name do not tell.",
)
@click.option("--run", metavar="NAME", help="Which run of a file that holds several.")
@click.option(
    "--rules",
    "rule_paths",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Own rules, with the shipped ones, in place of those recorded with the run. Repeatable.",
)
@click.option(
    "--trainer",
    callback=_known_trainer,
    metavar="NAME",
    help="dpo, grpo, ...; guessed from the metrics if not given.",
)
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The trainer's arguments as YAML or JSON; rules may depend on beta and others.",
)
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps that the run was to have.")
@click.option("--logging-steps", type=click.IntRange(min=1), help="Steps between two logs.")
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
    # river takes a while to import, which --help should not.
    from post_training_toolkit.engine.readers.description import GivenDescription
    from post_training_toolkit.engine.seams import consolidate

    given = GivenDescription(trainer, _arguments(config_path), max_steps, logging_steps)
    recording, rules = _open(path, kept_as, run, rule_paths, given)
    for note in (*recording.guesses, *consolidate(recording.entries).notes):
        click.echo(f"{path}: {note}", err=True)
    events, not_judged = _run(recording, rules)
    _print(output, events, not_judged)
    if recording.broken is not None:
        click.echo(recording.broken, err=True)
        sys.exit(INVALID_INPUT)
    sys.exit(FINDINGS if fail_on is not None and _reaches(events, Severity(fail_on)) else CLEAN)


def _arguments(path: Path | None) -> Mapping[str, Any]:
    """Read the trainer's arguments; a file without any ends the command."""
    from post_training_toolkit.rules.document import read_document

    if path is None:
        return {}
    document = read_document(str(path), path.read_bytes())
    problem = next(iter(document.problems), None)
    if problem is None and isinstance(document.data, dict):
        return document.data
    click.echo(str(problem or f"{path}:1:1: expected the trainer's arguments by name"), err=True)
    sys.exit(INVALID_INPUT)


def _open(
    path: Path,
    kept_as: str | None,
    run: str | None,
    rule_paths: Sequence[Path],
    given: GivenDescription,
) -> tuple[DescribedRecording, Sequence[Rule]]:
    """Return the recording and the rules to run; what is invalid ends the command."""
    from post_training_toolkit.engine.readers.choose import open_recording, recording_format
    from post_training_toolkit.engine.readers.description import describe
    from post_training_toolkit.engine.readers.recording import RecordingError, RecordingFormat
    from post_training_toolkit.engine.readers.run_directory import read_run_directory
    from post_training_toolkit.engine.replay import RunDirectoryError, read_recorded_rules

    try:
        chosen = recording_format(path) if kept_as is None else RecordingFormat(kept_as)
        if chosen is not RecordingFormat.RUN_DIRECTORY:
            recording = describe(open_recording(path, chosen, run), given)
            return recording, load_rules(rule_paths)[1].rules
        recording = read_run_directory(path, given)
        bundle = load_rules(rule_paths)[1] if rule_paths else read_recorded_rules(path)
        return recording, bundle.rules
    except (InvalidRulesError, RecordingError, RunDirectoryError) as error:
        click.echo(str(error), err=True)
    except OSError as error:
        click.echo(f"cannot read {error.filename}: {error.strerror}", err=True)
    sys.exit(INVALID_INPUT)


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
