"""What a run of the zoo is: its trainer, its settings, the fault put in and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corpus import DataRecipe
from language_model import ModelRecipe

Split = Literal["tuning", "judging"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a run: its name for the labels, and what the faults of faults.py take.

    ``step`` is the step (from 0) at which it sets in.
    """

    name: str
    step: int = 0
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class RunSpecification:
    """One run: how it is made and what a good diagnostician should say of it.

    ``onset_step`` is the first logged step at which the fault shows; 0 for one from the start.
    ``arguments`` go to the trainer's configuration class as they are.
    """

    name: str
    trainer: str
    split: Split
    description: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    data: DataRecipe = field(default_factory=DataRecipe)
    model: ModelRecipe = field(default_factory=ModelRecipe)
    reward: str | None = None
    fault: Fault | None = None
    onset_step: int = 0
    expected: tuple[str, ...] = ()
    match: Literal["all", "any"] = "all"
    acceptable: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name of the recording's folder."""
        return f"{self.trainer}-{self.name}"
