"""Makes conversations of the good episodes, for supervised fine-tuning."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.prompt_key import is_copied, prompt_key
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
    holds,
    reason_left_out,
    succeeded,
)
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe, Tally

if TYPE_CHECKING:
    import datasets

Form = Literal["messages", "prompt-completion"]

_ROWS: dict[Form, str] = {
    "messages": "conversations",
    "prompt-completion": "prompts with completions",
}
_LOGGER = logging.getLogger(__name__)


def to_sft_dataset(
    runs: Iterable[Episode],
    positive: Predicate = succeeded,
    *,
    form: Form = "messages",
) -> datasets.Dataset:
    """Return the good episodes as conversations with their tools, for ``SFTTrainer``.

    By default those that were judged a success. Train with ``assistant_only_loss=True``: without
    it SFT learns what users and tools say as well, in either form. What was left out is logged;
    ``prepare_sft_dataset`` returns it as a report.

    Raises ``PredicateError`` for a predicate that fails.
    """
    prepared = prepare_sft_dataset(runs, positive, form=form)
    prepared.report.tell(_LOGGER)
    return prepared.dataset


def prepare_sft_dataset(
    runs: Iterable[Episode], positive: Predicate = succeeded, *, form: Form = "messages"
) -> Prepared:
    """Return the conversations and a report; see ``to_sft_dataset``."""
    return Conversations(positive, form).prepare(runs)


@dataclass(slots=True)
class ToolAnswers(Tally):
    """Counts conversations with answers of tools."""

    conversations: int = 0

    def add(self, row: JsonObject) -> None:
        """Take a conversation in."""
        said = row["messages"] if "messages" in row else row["completion"]
        self.conversations += any(message["role"] == "tool" for message in said)

    def tell(self, report: PreparationReport) -> None:
        """Warn of answers of tools."""
        super(ToolAnswers, self).tell(report)
        if self.conversations:
            report.warnings.append(
                f"{self.conversations} conversations hold answers of tools, which the agent did "
                "not write: train with SFTConfig(assistant_only_loss=True)"
            )


@dataclass(frozen=True)
class Conversations(Recipe):
    """What good episodes said, from the prompt to the last answer."""

    positive: Predicate = succeeded
    form: Form = "messages"

    def __post_init__(self) -> None:
        if self.form not in _ROWS:
            raise ValueError(f"form is {self.form!r}; expected 'messages' or 'prompt-completion'")

    @property
    def rows_are(self) -> str:
        """What the rows are called."""
        return _ROWS[self.form]

    def rows(self, runs: Iterable[Episode], report: PreparationReport) -> Iterator[JsonObject]:
        """Yield a row for each good episode, in their order."""
        said = Said()
        for episode in runs:
            report.episodes += 1
            reason = self._reason_left_out(episode)
            if reason is not None:
                report.leave_out(reason, episode.id)
                continue
            prompt, completion = prompt_and_completion(episode)
            key = prompt_key(episode)
            if said.before(key, completion):
                report.leave_out(SAID_BEFORE, episode.id)
                continue
            if self.form == "messages":
                texts = {"messages": chat_of((*prompt, *completion))}
            else:
                texts = {"prompt": chat_of(prompt), "completion": chat_of(completion)}
            yield {
                **texts,
                "tools": tools_of(episode),
                "prompt_key": key,
                "task": episode.task,
                "episode": episode.id,
                "reward": episode.reward,
            }

    def tally(self) -> ToolAnswers:
        """Return what counts answers of tools."""
        return ToolAnswers()

    def _reason_left_out(self, episode: Episode) -> LeftOut | None:
        reason = reason_left_out(episode)
        copied = any(map(is_copied, episode.messages)) and self.form == "messages"
        if reason is not None or holds(self.positive, episode, "positive"):
            return reason or (LeftOut.COPIED if copied else None)
        return LeftOut.UNLABELLED if episode.success is None else LeftOut.NOT_POSITIVE
