"""ptt diff: says how behaviour has changed between two snapshots, runs or models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT, USAGE
from post_training_toolkit.ptt_trl.cli.asking import ask, asking_options, prompts_to_ask

if TYPE_CHECKING:
    from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation, Snapshot
    from post_training_toolkit.ptt_trl.snapshots.subject import Subject


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", required=False)
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
@asking_options
def diff(
    before: str,
    after: str | None,
    output_format: str,
    output: Path | None,
    prompt_file: Path | None,
    max_new_tokens: int,
    samples: int,
    seed: int,
    batch_size: int,
    device: str | None,
) -> None:
    """Say how behaviour has changed: refusals that flipped, measures that shifted, texts.

    A and B are each a snapshot, a run (its latest snapshot; RUN_DIR@STEP is another one), or a
    model directory, which is then asked what the other side was asked. One run alone is compared
    with its own start.

    \b
    Examples:
      ptt diff my_run/ptt
      ptt diff my_run/ptt@100 my_run/ptt@500 --format html --output diff.html
      ptt diff base-model checkpoint-500 --prompts questions.jsonl
    """  # noqa: D301 - click looks for the character itself
    try:
        from post_training_toolkit.ptt_trl.diffs.diff import compare_snapshots
        from post_training_toolkit.ptt_trl.diffs.page import render_page
        from post_training_toolkit.ptt_trl.diffs.text import render_text
        from post_training_toolkit.ptt_trl.diffs.writing import to_json
        from post_training_toolkit.ptt_trl.snapshots.as_found import CannotGenerateError
        from post_training_toolkit.ptt_trl.snapshots.model_directory import ModelDirectoryError
        from post_training_toolkit.ptt_trl.snapshots.prompt_file import PromptFileError
        from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation
        from post_training_toolkit.ptt_trl.snapshots.snapshot_file import SnapshotFileError
        from post_training_toolkit.ptt_trl.snapshots.subject import (
            SubjectError,
            find_subject,
            first_and_last,
        )
    except ModuleNotFoundError as error:
        command = 'pip install "post-training-toolkit[trl]"'
        click.echo(f"ptt diff needs {error.name}; run: {command}", err=True)
        sys.exit(USAGE)
    generation = Generation(
        max_new_tokens=max_new_tokens, samples=samples, seed=seed, batch_size=batch_size
    )
    try:
        if after is None:
            sides = first_and_last(before)
        else:
            sides = find_subject(before), find_subject(after)
        snapshots = _snapshots(sides, prompt_file, generation, device)
    except (
        CannotGenerateError,
        ModelDirectoryError,
        PromptFileError,
        SnapshotFileError,
        SubjectError,
    ) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    compared = compare_snapshots(*snapshots, names=(sides[0].name, sides[1].name))
    render = {"text": render_text, "json": to_json, "html": render_page}[output_format]
    content = render(compared)
    if output is None:
        click.echo(content, nl=False)
    else:
        output.write_text(content, encoding="utf-8")
        click.echo(output)


def _snapshots(
    sides: tuple[Subject, Subject],
    prompt_file: Path | None,
    generation: Generation,
    device: str | None,
) -> tuple[Snapshot, Snapshot]:
    """Return both snapshots; a model is asked what the other side was, if it was."""
    taken = [side.source for side in sides if not isinstance(side.source, Path)]
    if taken and prompt_file is None:
        prompts, generation = taken[0].prompts, taken[0].generation
    else:
        prompts = prompts_to_ask(prompt_file)

    def snapshot_of(side: Subject) -> Snapshot:
        if not isinstance(side.source, Path):
            return side.source
        return ask(side.source, prompts, generation, device)

    first, last = sides
    return snapshot_of(first), snapshot_of(last)
