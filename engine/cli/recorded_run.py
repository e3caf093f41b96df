"""The recorded run that a command is about: its options, and how it is opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.engine.cli.rule_files import load_rules
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.profile import config_classes
from post_training_toolkit.rules.suggestion import did_you_mean

if TYPE_CHECKING:
    from post_training_toolkit.engine.readers.description import (
        DescribedRecording,
        GivenDescription,
    )
    from post_training_toolkit.rules.model import Rule

Command = TypeVar("Command", bound=Callable[..., Any])

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


_OPTIONS = (
    click.option(
        "--from",
        "kept_as",
        type=click.Choice(_KEPT_AS),
        help="What PATH is, where its content and name do not tell.",
    ),
    click.option("--run", metavar="NAME", help="Which run of a file that holds several."),
    click.option(
        "--rules",
        "rule_paths",
        multiple=True,
        metavar="PATH",
        type=click.Path(path_type=Path),
        help="Own rules, with the shipped ones, in place of those recorded with the run. "
        "Repeatable.",
    ),
    click.option(
        "--trainer",
        callback=_known_trainer,
        metavar="NAME",
        help="dpo, grpo, ...; guessed from the metrics if not given.",
    ),
    click.option(
        "--config",
        "config_path",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The trainer's arguments as YAML or JSON; rules may depend on beta and others.",
    ),
    click.option("--max-steps", type=click.IntRange(min=1), help="Steps that the run was to have."),
    click.option("--logging-steps", type=click.IntRange(min=1), help="Steps between two logs."),
)


def recording_options(command: Command) -> Command:
    """Give a command the options that say what a recorded run is."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given_description(
    trainer: str | None,
    config_path: Path | None,
    max_steps: int | None,
    logging_steps: int | None,
) -> GivenDescription:
    """Return what a user said about a run; a file without arguments ends the command."""
    # river takes a while to import, which --help should not.
    from post_training_toolkit.engine.readers.description import GivenDescription
    from post_training_toolkit.rules.document import read_document

    if config_path is None:
        return GivenDescription(trainer, {}, max_steps, logging_steps)
    document = read_document(str(config_path), config_path.read_bytes())
    problem = next(iter(document.problems), None)
    if problem is None and isinstance(document.data, dict):
        return GivenDescription(trainer, document.data, max_steps, logging_steps)
    expected = f"{config_path}:1:1: expected the trainer's arguments by name"
    click.echo(str(problem or expected), err=True)
    sys.exit(INVALID_INPUT)


def open_recorded_run(
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
