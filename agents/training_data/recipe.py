"""What a kind of training data is: how rows come of episodes, and what is said of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.training_data.arrow_file import dataset_of
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared


@dataclass(slots=True)
class Tally:
    """Counts rows on their way; kinds that can say more about theirs add to it."""

    rows: int = 0
    prompts: set[str] = field(default_factory=set)

    def watch(self, rows: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """Yield the rows, each of which is counted."""
        for row in rows:
            self.rows += 1
            self.prompts.add(row["prompt_key"])
            self.add(row)
            yield row

    def add(self, row: JsonObject) -> None:
        """Take a row in."""

    def tell(self, report: PreparationReport) -> None:
        """Write what was counted into the report, and what should give pause."""
        report.rows, report.prompts = self.rows, len(self.prompts)


class Recipe(ABC):
    """A kind of training data.

    ``by_prompt`` says that its rows are ordered by prompt, not as the episodes are. All rows of a
    prompt come of the episodes with this prompt alone, so that prompts can be worked on apart.
    """

    by_prompt: bool = False

    @property
    @abstractmethod
    def rows_are(self) -> str:
        """What the rows are called."""

    @abstractmethod
    def rows(self, runs: Iterable[Episode], report: PreparationReport) -> Iterator[JsonObject]:
        """Yield the rows; the report is told of episodes that give none."""

    def tally(self) -> Tally:
        """Return what counts these rows."""
        return Tally()

    def prepare(self, runs: Iterable[Episode]) -> Prepared:
        """Return the data set and the report on how it came about."""
        report, tally = PreparationReport(self.rows_are), self.tally()
        dataset = dataset_of(tally.watch(self.rows(runs, report)), self.rows_are)
        tally.tell(report)
        return Prepared(dataset, report)
