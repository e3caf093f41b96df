"""Makes preference pairs of episodes, for DPO and what else learns from pairs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.prompt_key import prompt_key
from post_training_toolkit.agents.training_data.chat_rows import chat_of, tools_of
from post_training_toolkit.agents.training_data.judging import LeftOut, Predicate, judge
from post_training_toolkit.agents.training_data.pair_figures import PairFigures
from post_training_toolkit.agents.training_data.pairing import Mode, Pair, PairSettings, pair_up
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe

if TYPE_CHECKING:
    import datasets

GroupBy = Literal["prompt", "task"]

_LOGGER = logging.getLogger(__name__)


class PromptsDifferError(ValueError):
    """The attempts at a task do not share their prompt, so that no fair pairs can be made."""


def to_preference_pairs(
    runs: Iterable[Episode],
    positive: Predicate,
    negative: Predicate,
    *,
    group_by: GroupBy = "prompt",
    mode: Mode = "trajectory",
    max_pairs_per_prompt: int = 4,
    min_margin: float = 0.0,
    unlabelled: bool = False,
    seed: int = 0,
) -> datasets.Dataset:
    """Return pairs of a good and a bad attempt at the same prompt, for ``DPOTrainer``.

    ``positive`` and ``negative`` say of an episode whether it is good or bad. Episodes that nobody
    judged (``success`` is None) are asked about only with ``unlabelled``; those for which both hold
    are left out. In ``mode="trajectory"`` a side is all that the agent did after the prompt, with
    the answers of its tools; in ``mode="step"`` it is the one answer in which two attempts part,
    behind all that they share, and the loss is on nothing but what the agent said. That such an
    answer made the difference is a guess.

    A prompt gives at most ``max_pairs_per_prompt`` pairs, each attempt about as often as another;
    ``min_margin`` is the least difference of rewards, where both have one. The pairs are the same
    for the same episodes in any order; ``seed`` changes which are taken.

    Raises ``PromptsDifferError`` where attempts at one task open with different prompts, and
    ``PredicateError`` for a predicate that fails. What was left out is logged;
    ``prepare_preference_pairs`` returns it as a report.
    """
    settings = PairSettings(mode, max_pairs_per_prompt, min_margin, seed)
    prepared = prepare_preference_pairs(
        runs, positive, negative, group_by=group_by, settings=settings, unlabelled=unlabelled
    )
    prepared.report.tell(_LOGGER)
    return prepared.dataset


def prepare_preference_pairs(
    runs: Iterable[Episode],
    positive: Predicate,
    negative: Predicate,
    *,
    group_by: GroupBy = "prompt",
    settings: PairSettings | None = None,
    unlabelled: bool = False,
) -> Prepared:
    """Return the pairs and a report; see ``to_preference_pairs``."""
    chosen = settings or PairSettings()
    return PreferencePairs(positive, negative, chosen, group_by, unlabelled=unlabelled).prepare(
        runs
    )


@dataclass(frozen=True)
class PreferencePairs(Recipe):
    """Pairs of a good and a bad attempt at the same prompt."""

    positive: Predicate
    negative: Predicate
    settings: PairSettings = field(default_factory=PairSettings)
    group_by: GroupBy = "prompt"
    unlabelled: bool = False

    rows_are = "preference pairs"
    by_prompt = True

    def __post_init__(self) -> None:
        if self.group_by not in ("prompt", "task"):
            raise ValueError(f"group_by is {self.group_by!r}; expected 'prompt' or 'task'")

    def rows(self, runs: Iterable[Episode], report: PreparationReport) -> Iterator[JsonObject]:
        """Yield the pairs, in the order of the keys of their prompts."""
        attempts = self.sort_attempts(runs, report)
        tasks = TaskPrompts()
        for key, of_prompt in attempts.items():
            tasks.add(key, of_prompt)
        self.refuse(tasks)
        for key in sorted(attempts):
            yield from self.pairs_of_prompt(key, attempts[key], report)

    def tally(self) -> PairFigures:
        """Return what counts lengths and shares."""
        return PairFigures()

    def sort_attempts(
        self, runs: Iterable[Episode], report: PreparationReport
    ) -> dict[str, Attempts]:
        """Return the attempts by prompt; what is neither good nor bad goes to the report."""
        attempts: dict[str, Attempts] = {}
        for episode in runs:
            report.episodes += 1
            judged = judge(episode, self.positive, self.negative, unlabelled=self.unlabelled)
            if isinstance(judged, LeftOut):
                report.leave_out(judged, episode.id)
                continue
            of_prompt = attempts.setdefault(prompt_key(episode), Attempts())
            (of_prompt.good if judged else of_prompt.bad).append(episode)
        return attempts

    def refuse(self, tasks: TaskPrompts) -> None:
        """Raise ``PromptsDifferError`` where tasks have good and bad attempts no prompt joins.

        One such task is enough with ``group_by="task"``; otherwise it takes more than half.
        """
        mixed = tasks.good.keys() & tasks.bad.keys()
        if self.group_by == "task":
            apart = [task for task in mixed if len(tasks.good[task] | tasks.bad[task]) > 1]
        else:
            apart = [task for task in mixed if not tasks.good[task] & tasks.bad[task]]
        if apart and (self.group_by == "task" or len(apart) * 2 > len(mixed)):
            raise PromptsDifferError(
                f"of {len(mixed)} tasks with good and bad attempts, {len(apart)} have attempts "
                "that open with different prompts (as with a simulated user), so that chosen and "
                "rejected would answer different questions: use to_kto_dataset, which needs no "
                "pairs"
            )

    def pairs_of_prompt(
        self, key: str, attempts: Attempts, report: PreparationReport
    ) -> Iterator[JsonObject]:
        """Yield the pairs of one prompt as rows."""
        if attempts.good and attempts.bad:
            pairs = pair_up(attempts.good, attempts.bad, self.settings, report.leave_out)
            yield from (_row(key, pair) for pair in pairs)
            return
        side = "bad" if attempts.good else "good"
        for episode in (*attempts.good, *attempts.bad):
            report.leave_out(f"their prompt has no {side} attempt", episode.id)


@dataclass(slots=True)
class Attempts:
    """The good and the bad attempts at one prompt."""

    good: list[Episode] = field(default_factory=list)
    bad: list[Episode] = field(default_factory=list)


@dataclass(slots=True)
class TaskPrompts:
    """Which prompts the good and the bad attempts at each task have; a prompt is its key."""

    good: dict[str, set[str]] = field(default_factory=dict)
    bad: dict[str, set[str]] = field(default_factory=dict)

    def add(self, key: str, attempts: Attempts) -> None:
        """Take in the attempts at a prompt."""
        for side, episodes in ((self.good, attempts.good), (self.bad, attempts.bad)):
            for episode in episodes:
                if episode.task:
                    side.setdefault(episode.task, set()).add(key)

    def merge(self, other: TaskPrompts) -> None:
        """Take in what another part of the work has found."""
        for side, more in ((self.good, other.good), (self.bad, other.bad)):
            for task, keys in more.items():
                side.setdefault(task, set()).update(keys)


def _row(key: str, pair: Pair) -> JsonObject:
    return {
        "prompt": chat_of(pair.prompt),
        "chosen": chat_of(pair.chosen),
        "rejected": chat_of(pair.rejected),
        "tools": tools_of(pair.good),
        "prompt_key": key,
        "task": pair.good.task,
        "chosen_episode": pair.good.id,
        "rejected_episode": pair.bad.id,
        "chosen_reward": pair.good.reward,
        "rejected_reward": pair.bad.reward,
    }
