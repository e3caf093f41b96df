"""ptt-agents convert: turns traces into training data, or into another format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from post_training_toolkit.agents.cli.traces import (
    BadRecords,
    format_option,
    paths_argument,
    reading,
    skip_option,
)
from post_training_toolkit.engine.cli.exit_codes import CLEAN, INVALID_INPUT, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from post_training_toolkit.agents.episode import Episode
    from post_training_toolkit.agents.readers.trace_format import TraceFormat
    from post_training_toolkit.agents.training_data.preparation import Prepared
    from post_training_toolkit.agents.training_data.recipe import Recipe

_PAIRS = ("preference-pairs", "step-pairs")
_DATA_SETS = ("preference-pairs", "step-pairs", "kto", "sft", "grpo-prompts")
_FORMATS = ("native", "openai-chat", "atif")

_JUDGED = (*_PAIRS, "kto", "sft")
_ONLY_FOR = {
    "max_steps": _JUDGED,
    "loops_are_bad": _JUDGED,
    "max_pairs_per_prompt": _PAIRS,
    "min_margin": _PAIRS,
    "seed": _DATA_SETS,
    "test_share": _DATA_SETS,
    "engine": _DATA_SETS,
}


@click.command()
@paths_argument
@format_option
@skip_option
@click.option(
    "--to",
    "kind",
    type=click.Choice((*_DATA_SETS, *_FORMATS)),
    required=True,
    help="A data set for TRL, or another format of traces.",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="A data set goes to a .parquet or .jsonl file, or to a folder for load_from_disk; "
    "atif to a folder with a file an episode.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(min=1),
    help="A success that took more steps is not good.",
)
@click.option("--loops-are-bad", is_flag=True, help="An episode that loops is bad, success or not.")
@click.option("--max-pairs-per-prompt", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--min-margin", type=float, default=0.0, help="Least difference of rewards in a pair."
)
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Keep so much of the prompts apart for tests.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--engine",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="ray spreads data sets over a cluster; the rows are the same.",
)
@click.option("--force", is_flag=True, help="Write over what is there.")
def convert(
    paths: tuple[Path, ...],
    trace_format: TraceFormat | None,
    skip_bad: bool,
    kind: str,
    output: Path,
    max_steps: int | None,
    loops_are_bad: bool,
    max_pairs_per_prompt: int,
    min_margin: float,
    test_share: float | None,
    seed: int,
    engine: str,
    force: bool,
) -> None:
    """Turn traces into training data for TRL, or into another format.

    A good episode is one that was judged a success, a bad one a failure; those that nobody judged
    are left out. What gets in and what does not is told on stderr. Predicates of your own need
    Python: to_preference_pairs(runs, positive=..., negative=...).

    \b
    Examples:
      ptt-agents convert runs.jsonl --to preference-pairs --output pairs.parquet
      ptt-agents convert runs.jsonl --to kto --test-share 0.1 --output kto/
      ptt-agents convert logs/ --to sft --max-steps 15 --output sft.jsonl
      ptt-agents convert eval.json --to native --output runs.jsonl
      ptt-agents convert many/ --to preference-pairs --output pairs/ --engine ray
    """  # noqa: D301 - click looks for the character itself
    _check_options(kind)
    _check_output(output, kind, split=test_share is not None, force=force)
    bad = BadRecords(skip=skip_bad)
    if kind in _FORMATS:
        _write_traces(paths, trace_format, bad, kind, output)
        sys.exit(CLEAN)
    recipe = _recipe(
        kind,
        max_steps=max_steps,
        loops_are_bad=loops_are_bad,
        max_pairs_per_prompt=max_pairs_per_prompt,
        min_margin=min_margin,
        seed=seed,
    )
    prepared = _prepare(recipe, paths, trace_format, bad, engine)
    bad.finish()
    _write_dataset(prepared, output, test_share, seed)
    click.echo(prepared.report.to_text(), err=True)


def _check_options(kind: str) -> None:
    """Refuse an option that would be ignored."""
    context = click.get_current_context()
    for name, kinds in _ONLY_FOR.items():
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and kind not in kinds:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} says nothing of {kind}; it is for {', '.join(kinds)}")


def _check_output(output: Path, kind: str, *, split: bool, force: bool) -> None:
    from post_training_toolkit.agents.writers.dataset_file import is_foreign, outputs_of

    for path in outputs_of(output, split=split):
        if path.exists() and not force:
            raise click.UsageError(f"{path} is there already; write over it with --force")
        if kind in _DATA_SETS and is_foreign(path):
            raise click.UsageError(f"{path} holds something else than a data set; choose another")


def _recipe(
    kind: str,
    *,
    max_steps: int | None,
    loops_are_bad: bool,
    max_pairs_per_prompt: int,
    min_margin: float,
    seed: int,
) -> Recipe:
    from post_training_toolkit.agents.training_data.conversations import Conversations
    from post_training_toolkit.agents.training_data.labelled_completions import LabelledCompletions
    from post_training_toolkit.agents.training_data.pairing import PairSettings
    from post_training_toolkit.agents.training_data.preference_pairs import PreferencePairs
    from post_training_toolkit.agents.training_data.prompts import Prompts

    def good(episode: Episode) -> bool:
        short = max_steps is None or episode.total_steps <= max_steps
        loops = loops_are_bad and episode.has_repeated_tool_pattern()
        return episode.success is True and short and not loops

    def bad(episode: Episode) -> bool:
        loops = loops_are_bad and episode.has_repeated_tool_pattern()
        return episode.success is False or loops

    match kind:
        case "kto":
            return LabelledCompletions(good, bad)
        case "sft":
            return Conversations(good)
        case "grpo-prompts":
            return Prompts()
        case _:
            settings = PairSettings(
                "step" if kind == "step-pairs" else "trajectory",
                max_pairs_per_prompt,
                min_margin,
                seed,
            )
            return PreferencePairs(good, bad, settings)


def _prepare(
    recipe: Recipe,
    paths: Sequence[Path],
    trace_format: TraceFormat | None,
    bad: BadRecords,
    engine: str,
) -> Prepared:
    """Return the data set; leave with code 3 where the traces do not allow it."""
    from post_training_toolkit.agents.training_data.preference_pairs import PromptsDifferError

    try:
        if engine == "ray":
            from post_training_toolkit.agents.ray_preparation import prepare_on_ray

            prepared, problems = prepare_on_ray(recipe, paths, trace_format)
            for problem in problems:
                bad.tell(problem)
            return prepared
        with reading(paths, trace_format, bad) as episodes:
            return recipe.prepare(episodes)
    except PromptsDifferError as error:
        click.echo(f"{error}: convert --to kto", err=True)
        sys.exit(INVALID_INPUT)
    except ImportError as error:
        click.echo(str(error), err=True)
        sys.exit(USAGE)


def _write_dataset(prepared: Prepared, output: Path, test_share: float | None, seed: int) -> None:
    from post_training_toolkit.agents.training_data.splitting import split_by_prompt
    from post_training_toolkit.agents.writers.dataset_file import write_dataset

    if test_share is None:
        write_dataset(prepared.dataset, output)
        return
    split = split_by_prompt(prepared.dataset, test_share, seed=seed)
    write_dataset(split, output)


def _write_traces(
    paths: Sequence[Path],
    trace_format: TraceFormat | None,
    bad: BadRecords,
    kind: str,
    output: Path,
) -> None:
    from post_training_toolkit.agents.writers.trace_file import write_traces

    with reading(paths, trace_format, bad) as episodes:
        count = write_traces(episodes, kind, output)
    bad.finish()
    click.echo(f"{count} episodes written to {output}", err=True)
