"""Asks a model that a command was given, and shows how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from post_training_toolkit.engine.cli.progress import progress_of

if TYPE_CHECKING:
    from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
    from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation, Snapshot

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--prompts",
        "prompt_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Prompts to ask instead of the built-in ones: JSONL, JSON, YAML, CSV or text.",
    ),
    click.option(
        "--max-new-tokens",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        help="The most tokens of a reply.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=0),
        default=4,
        show_default=True,
        help="Replies that are drawn to each sampled prompt, beside the greedy one.",
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of drawn replies."
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=16,
        show_default=True,
        help="Prompts that are answered at once.",
    ),
    click.option("--device", help="Such as cpu or cuda:1; the accelerator if there is one."),
)


def asking_options(command: Command) -> Command:
    """Add the options of a command that asks models."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def ask(
    model_folder: Path, prompts: tuple[Prompt, ...], generation: Generation, device: str | None
) -> Snapshot:
    """Take a snapshot of the model in a folder; raises ``ModelDirectoryError`` and the like."""
    from post_training_toolkit.ptt_trl.snapshots.model_directory import load_model
    from post_training_toolkit.ptt_trl.snapshots.taking import take_snapshot

    loaded = load_model(model_folder, device)
    with progress_of(len(prompts), f"asking {model_folder.name}") as advance:
        return take_snapshot(loaded.model, loaded.tokenizer, prompts, generation, advance=advance)


def prompts_to_ask(prompt_file: Path | None) -> tuple[Prompt, ...]:
    """Return the prompts of a file, or the built-in ones; raises ``PromptFileError``."""
    from post_training_toolkit.ptt_trl.snapshots.prompt_file import read_prompts
    from post_training_toolkit.ptt_trl.snapshots.prompt_set import built_in_prompts

    return built_in_prompts() if prompt_file is None else read_prompts(prompt_file)
