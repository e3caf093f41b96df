"""Makes a set of prompts of episodes, for online methods such as GRPO."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message
from post_training_toolkit.agents.prompt_key import prompt_key, prompt_of
from post_training_toolkit.agents.training_data.chat_rows import chat_of, tools_of
from post_training_toolkit.agents.training_data.judging import LeftOut, reason_no_prompt
from post_training_toolkit.agents.training_data.preparation import PreparationReport, Prepared
from post_training_toolkit.agents.training_data.recipe import Recipe, Tally

if TYPE_CHECKING:
    import datasets

_LOGGER = logging.getLogger(__name__)
_NAMED_TOOLS = 5


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
    TRL 1.16 shows the model the functions of ``GRPOTrainer(tools=[...])``, not the column
    ``tools``. What was left out is logged; ``prepare_grpo_prompts`` returns it as a report.
    """
    prepared = prepare_grpo_prompts(runs)
    prepared.report.tell(_LOGGER)
    return prepared.dataset


def prepare_grpo_prompts(runs: Iterable[Episode]) -> Prepared:
    """Return the prompts and a report; see ``to_grpo_prompts``."""
    return Prompts().prepare(runs)


@dataclass(slots=True)
class Outcomes(Tally):
    """Counts prompts whose attempts went both ways or one way, and collects names of tools."""

    tried: int = 0
    decided: int = 0
    tools: set[str] = field(default_factory=set)

    def add(self, row: JsonObject) -> None:
        """Take a prompt in."""
        if row["judged"] > 1:
            self.tried += 1
            self.decided += row["success_rate"] in (0, 1)
        self.tools.update(tool["function"]["name"] for tool in row["tools"] or ())

    def tell(self, report: PreparationReport) -> None:
        """Write the share of prompts that teach GRPO nothing into the report; warn of tools."""
        super(Outcomes, self).tell(report)
        if self.tried:
            share = self.decided / self.tried
            report.figures["share of prompts whose attempts all went the same way"] = share
        if self.tools:
            named = ", ".join(sorted(self.tools)[:_NAMED_TOOLS])
            more = ", ..." if len(self.tools) > _NAMED_TOOLS else ""
            report.warnings.append(
                f"GRPOTrainer does not read the column tools ({named}{more}): the model is shown "
                "none unless they are given as functions, GRPOTrainer(tools=[...])"
            )


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
            # A line that could not be read may belong to the prompt.
            reason = LeftOut.UNREAD if episode.unread_lines else reason_no_prompt(messages)
            if reason is not None:
                report.leave_out(reason, episode.id)
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
                "judged": prompt.judged,
                "success_rate": prompt.successes / prompt.judged if prompt.judged else None,
            }

    def tally(self) -> Outcomes:
        """Return what counts outcomes."""
        return Outcomes()
