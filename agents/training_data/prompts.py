"""Makes a set of prompts of episodes, for online methods such as GRPO."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.prompt_key import prompt_key, prompt_of
from post_training_toolkit.agents.training_data.chat_rows import chat_of, tools_of
from post_training_toolkit.agents.training_data.judging import LeftOut
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe, Tally

if TYPE_CHECKING:
    import datasets

_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class _Prompt:
    """A prompt as its first attempt shows it, and how its attempts went."""

    messages: tuple[Message, ...]
    tools: list[JsonObject] | None
    task: str | None
    attempts: int = 0
    judged: int = 0
    successes: int = 0


def to_grpo_prompts(runs: Iterable[Episode]) -> datasets.Dataset:
    """Return every prompt once, for ``GRPOTrainer`` and others that sample the rest themselves.

    Beside the prompt stand its task, which reward functions are handed, and how many attempts there
    were with what share of success: a prompt that always or never succeeds teaches GRPO nothing.
    What was left out is logged; ``prepare_grpo_prompts`` returns it as a report.
    """
    prepared = prepare_grpo_prompts(runs)
    prepared.report.tell(_LOGGER)
    return prepared.dataset


def prepare_grpo_prompts(runs: Iterable[Episode]) -> Prepared:
    """Return the prompts and a report; see ``to_grpo_prompts``."""
    return Prompts().prepare(runs)


@dataclass(slots=True)
class Outcomes(Tally):
    """Counts prompts whose attempts went both ways, and those that went one way."""

    tried: int = 0
    decided: int = 0

    def add(self, row: JsonObject) -> None:
        """Take a prompt in."""
        if row["attempts"] > 1 and row["success_rate"] is not None:
            self.tried += 1
            self.decided += row["success_rate"] in (0, 1)

    def tell(self, report: PreparationReport) -> None:
        """Write the share of prompts that teach GRPO nothing into the report."""
        super(Outcomes, self).tell(report)
        if self.tried:
            share = self.decided / self.tried
            report.figures["share of prompts whose attempts all went the same way"] = share


@dataclass(frozen=True)
class Prompts(Recipe):
    """Every prompt once, with how its attempts went."""

    rows_are = "prompts"
    by_prompt = True

    def rows(self, runs: Iterable[Episode], report: PreparationReport) -> Iterator[JsonObject]:
        """Yield the prompts in the order of their keys."""
        prompts: dict[str, _Prompt] = {}
        for episode in runs:
            report.episodes += 1
            messages = prompt_of(episode)
            if not any(message.role is not Role.SYSTEM for message in messages):
                report.leave_out(LeftOut.NO_PROMPT, episode.id)
                continue
            new = _Prompt(messages, tools_of(episode), episode.task)
            prompt = prompts.setdefault(prompt_key(episode), new)
            prompt.attempts += 1
            prompt.judged += episode.success is not None
            prompt.successes += episode.success is True
        for key, prompt in sorted(prompts.items()):
            yield {
                "prompt": chat_of(prompt.messages),
                "tools": prompt.tools,
                "prompt_key": key,
                "task": prompt.task,
                "attempts": prompt.attempts,
                "success_rate": prompt.successes / prompt.judged if prompt.judged else None,
            }

    def tally(self) -> Outcomes:
        """Return what counts outcomes."""
        return Outcomes()
