"""Which arguments of the trainers are different between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun

# Arguments that say where a run is kept and what it is called, and nothing of how it trains.
_PLACES_AND_NAMES = frozenset(
    {
        "hub_model_id",
        "hub_token",
        "logging_dir",
        "output_dir",
        "project",
        "push_to_hub_model_id",
        "resume_from_checkpoint",
        "run_name",
        "trackio_space_id",
    }
)


@dataclass(frozen=True, slots=True)
class ArgumentDifference:
    """One argument with its value in each run by name; a run that has no such argument lacks.

    ``is_name`` tells what only says where a run is kept or what it is called.
    """

    argument: str
    values: Mapping[str, Any]
    is_name: bool


def configuration_differences(runs: Sequence[NamedRun]) -> tuple[ArgumentDifference, ...]:
    """Return the arguments that are not the same in all runs, by name, places and names last.

    Runs whose arguments are not known are left out.
    """
    known = [run for run in runs if run.record.run.configuration]
    return tuple(sorted(_differences(known), key=lambda each: (each.is_name, each.argument)))


def _differences(runs: Sequence[NamedRun]) -> Iterator[ArgumentDifference]:
    arguments = {each for run in runs for each in run.record.run.configuration}
    for argument in arguments:
        values = {
            run.name: run.record.run.configuration[argument]
            for run in runs
            if argument in run.record.run.configuration
        }
        first = next(iter(values.values()))
        if len(values) < len(runs) or not all(_same(each, first) for each in values.values()):
            yield ArgumentDifference(argument, values, argument in _PLACES_AND_NAMES)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are the same; 1 and 1.0 are, 1 and true are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
