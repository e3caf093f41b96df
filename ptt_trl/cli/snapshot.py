"""ptt snapshot: asks a model fixed prompts, and measures what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT, USAGE
from post_training_toolkit.engine.text_table import table
from post_training_toolkit.ptt_trl.cli.asking import ask, asking_options, prompts_to_ask


@click.command()
@click.argument(
    "model_dir", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="MODEL_DIR"
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("snapshot.json"),
    show_default=True,
    help="Where to write; a file that is there already is left alone.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there already.")
@asking_options
def snapshot(
    model_dir: Path,
    output: Path,
    force: bool,
    prompt_file: Path | None,
    max_new_tokens: int,
    samples: int,
    seed: int,
    batch_size: int,
    device: str | None,
) -> None:
    """Ask a model fixed prompts, and measure what it says: refusals, length, repetition and more.

    MODEL_DIR is a checkpoint, any model directory of Hugging Face, or an adapter of peft.

    \b
    Examples:
      ptt snapshot checkpoint-500
      ptt snapshot my-model --prompts questions.jsonl --output my-model.json
      ptt diff before.json after.json
    """  # noqa: D301 - click looks for the character itself
    if output.exists() and not force:
        click.echo(f"{output} is there already; name another --output, or use --force", err=True)
        sys.exit(USAGE)
    try:
        from post_training_toolkit.ptt_trl.snapshots.as_found import CannotGenerateError
        from post_training_toolkit.ptt_trl.snapshots.model_directory import ModelDirectoryError
        from post_training_toolkit.ptt_trl.snapshots.prompt_file import PromptFileError
        from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation
        from post_training_toolkit.ptt_trl.snapshots.snapshot_file import write_snapshot
    except ModuleNotFoundError as error:
        command = 'pip install "post-training-toolkit[trl]"'
        click.echo(f"ptt snapshot needs {error.name}; run: {command}", err=True)
        sys.exit(USAGE)
    generation = Generation(
        max_new_tokens=max_new_tokens, samples=samples, seed=seed, batch_size=batch_size
    )
    try:
        taken = ask(model_dir, prompts_to_ask(prompt_file), generation, device)
    except (CannotGenerateError, ModelDirectoryError, PromptFileError) as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    rows = [(name, f"{value:.4g}") for name, value in sorted(taken.measures.items())]
    for line in table(("measure", "value"), rows):
        click.echo(line)
    write_snapshot(output, taken)
    click.echo(output)
