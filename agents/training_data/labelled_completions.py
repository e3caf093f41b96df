"""Makes labelled completions of episodes, for KTO: no pairs are needed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.prompt_key import prompt_key
from post_training_toolkit.agents.training_data.chat_rows import (
    SAID_BEFORE,
    Said,
    chat_of,
    prompt_and_completion,
    tools_of,
)
from post_training_toolkit.agents.training_data.judging import (
    LeftOut,
    Predicate,
    failed,
    judge,
    succeeded,
)
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe, Tally

if TYPE_CHECKING:
    import datasets

_BOTH_WAYS = "completions that were good in one attempt and bad in another"
_LOGGER = logging.getLogger(__name__)
# KTO's authors keep the weighted classes between 1:1 and 4:3 (Ethayarajh et al. 2024, Section 4.2).
_MOST_IMBALANCE = 4 / 3


def to_kto_dataset(
    runs: Iterable[Episode],
    positive: Predicate = succeeded,
    negative: Predicate = failed,
    *,
    unlabelled: bool = False,
) -> datasets.Dataset:
    """Return prompt, completion and whether it is a good one, for ``KTOTrainer``.

    Every attempt that is good or bad gives one row, whatever others there are at its prompt; by
    default those that were judged. ``unlabelled`` asks the predicates about the others, too. What
    was left out is logged, and how to weigh the classes if they are uneven;
    ``prepare_kto_dataset`` returns both as a report.

    Raises ``PredicateError`` for a predicate that fails.
    """
    prepared = prepare_kto_dataset(runs, positive, negative, unlabelled=unlabelled)
    prepared.report.tell(_LOGGER)
    return prepared.dataset


def prepare_kto_dataset(
    runs: Iterable[Episode],
    positive: Predicate = succeeded,
    negative: Predicate = failed,
    *,
    unlabelled: bool = False,
) -> Prepared:
    """Return the labelled completions and a report; see ``to_kto_dataset``."""
    return LabelledCompletions(positive, negative, unlabelled=unlabelled).prepare(runs)


@dataclass(slots=True)
class Balance(Tally):
    """Counts good and bad completions."""

    labels: Counter[bool] = field(default_factory=Counter)

    def add(self, row: JsonObject) -> None:
        """Take a completion in."""
        self.labels[row["label"]] += 1

    def tell(self, report: PreparationReport) -> None:
        """Write both counts into the report, and which weight evens them."""
        super(Balance, self).tell(report)
        good, bad = self.labels[True], self.labels[False]
        report.figures |= {"good completions": good, "bad completions": bad}
        if not good or not bad:
            side = "good" if bad else "bad"
            report.warnings.append(f"there are no {side} completions: KTO needs both")
            return
        ratio = max(good, bad) / min(good, bad)
        if ratio > _MOST_IMBALANCE:
            name = "undesirable_weight" if good > bad else "desirable_weight"
            report.warnings.append(
                f"{good} good and {bad} bad completions: weigh the fewer ones up with "
                f"KTOConfig({name}={ratio:.4g})"
            )


@dataclass(frozen=True)
class LabelledCompletions(Recipe):
    """A prompt, what the agent did, and whether it was good."""

    positive: Predicate = succeeded
    negative: Predicate = failed
    unlabelled: bool = False

    rows_are = "labelled completions"

    def rows(self, runs: Iterable[Episode], report: PreparationReport) -> Iterator[JsonObject]:
        """Yield a row for each episode that is good or bad, in their order."""
        said = Said()
        for episode in runs:
            report.episodes += 1
            judged = judge(episode, self.positive, self.negative, unlabelled=self.unlabelled)
            if isinstance(judged, LeftOut):
                report.leave_out(judged, episode.id)
                continue
            prompt, completion = prompt_and_completion(episode)
            key = prompt_key(episode)
            if said.before(key, completion, judged):
                report.leave_out(SAID_BEFORE, episode.id)
                continue
            if said.other_judgement(key, completion, judged):
                twice = report.figures.get(_BOTH_WAYS, 0)
                report.figures[_BOTH_WAYS] = twice + 1
            yield {
                "prompt": chat_of(prompt),
                "completion": chat_of(completion),
                "label": judged,
                "tools": tools_of(episode),
                "prompt_key": key,
                "task": episode.task,
                "episode": episode.id,
                "reward": episode.reward,
            }

    def tally(self) -> Balance:
        """Return what counts labels."""
        return Balance()
