"""Writes a run down twice: for the half that rules are tuned on, and for the one that judges."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus import DataRecipe
from labels import HEALTHY, Labels
from language_model import ModelRecipe
from specification import Fault, RunSpecification, Split


@dataclass(frozen=True, slots=True)
class Half:
    """What is particular to the run in one of the halves."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    model: ModelRecipe | None = None
    data: DataRecipe = field(default_factory=DataRecipe)
    fault: Fault | None = None


# Rules were changed with a view of the first judging runs of these, which were then recorded anew.
_DRAWN_AGAIN = frozenset({"sft", "reward", "dpo", "kto", "orpo", "cpo"})
Pairs = Callable[..., list[RunSpecification]]


def both_halves(trainer: str, defaults: Mapping[str, Any], model: ModelRecipe) -> Pairs:
    """Return a function that makes a pair of runs of a trainer."""

    def pair(
        name: str,
        description: str,
        tuning: Half,
        judging: Half,
        fault: Fault | None = None,
        labels: Labels = HEALTHY,
    ) -> list[RunSpecification]:
        halves: tuple[tuple[Split, Half], ...] = (("tuning", tuning), ("judging", judging))
        return [
            RunSpecification(
                name=name,
                trainer=trainer,
                split=split,
                description=description,
                arguments={
                    "seed": _seed(trainer, name, split),
                    **defaults,
                    **half.arguments,
                },
                data=half.data,
                model=half.model or model,
                fault=half.fault or fault,
                onset_step=_onset(half, defaults),
                expected=labels.expected,
                match=labels.match,
                acceptable=labels.acceptable,
            )
            for split, half in halves
        ]

    return pair


def _seed(trainer: str, name: str, split: str) -> int:
    # A run keeps its seed when others are added.
    drawn = f"{trainer}-{name}-{split}"
    if split == "judging" and trainer in _DRAWN_AGAIN:
        drawn += "-2"
    return zlib.crc32(drawn.encode()) % 10_000


def _onset(half: Half, defaults: Mapping[str, Any]) -> int:
    """Return the first logged step at which the fault is in force, 0 for one from the start."""
    usual = {"gradient_accumulation_steps": 1, "logging_steps": 1}
    arguments = {**usual, **defaults, **half.arguments}
    rows = arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"]
    junk = half.data.junk
    row = half.data.flip_from if junk is None else junk[0]
    step = (half.fault.step if half.fault else 0) if row is None else row // rows
    if step == 0:
        return 0
    if half.fault is not None and half.fault.name == "crash":
        # The event of an exception has the step that was finished last.
        return step
    logging_steps: int = arguments["logging_steps"]
    # Steps are counted from 1 once they are done; the log of that step or the next one shows it.
    return -(-(step + 1) // logging_steps) * logging_steps
