"""What is said of a data set that was prepared: what is in it, what was left out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

_EXAMPLES = 3


@dataclass(slots=True)
class LeftOutCount:
    """How many were left out for one reason, and the ids of the first of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PreparationReport:
    """What became of the episodes.

    ``episodes`` is how many there were, ``rows`` how many rows came of them, over ``prompts``
    different prompts. ``left_out`` counts by reason what did not get in. ``figures`` are facts
    about the rows, by what they are; ``warnings`` sentences about what should give pause.
    """

    rows_are: str
    episodes: int = 0
    rows: int = 0
    prompts: int = 0
    left_out: dict[str, LeftOutCount] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def leave_out(self, reason: str, episode_id: str) -> None:
        """Count an episode, or a pair, that does not get in."""
        counted = self.left_out.setdefault(str(reason), LeftOutCount())
        counted.count += 1
        # The first by name, so that they do not depend on who comes first.
        counted.examples = sorted([*counted.examples, episode_id])[:_EXAMPLES]

    def merge(self, other: PreparationReport) -> None:
        """Add what another part of the work has counted of episodes, before rows are tallied."""
        self.episodes += other.episodes
        for reason, counted in other.left_out.items():
            own = self.left_out.setdefault(reason, LeftOutCount())
            own.count += counted.count
            own.examples = sorted([*own.examples, *counted.examples])[:_EXAMPLES]
        for name, count in other.figures.items():
            self.figures[name] = self.figures.get(name, 0) + count

    def to_text(self) -> str:
        """Return the report as lines of text."""
        lines = [
            f"{self.rows} {self.rows_are} of {self.episodes} episodes, over {self.prompts} prompts"
        ]
        ordered = Counter({reason: each.count for reason, each in self.left_out.items()})
        for reason, count in ordered.most_common():
            examples = ", ".join(self.left_out[reason].examples)
            lines.append(f"left out: {count}, since {reason} ({examples})")
        lines += [f"{name}: {_number(value)}" for name, value in self.figures.items()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def tell(self, logger: logging.Logger) -> None:
        """Log the report, and each warning as one."""
        logger.info("%s", self.to_text())
        for warning in self.warnings:
            logger.warning("%s", warning)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set and the report on how it came about."""

    dataset: datasets.Dataset
    report: PreparationReport
