"""What is kept of each episode until the end of the log."""

from __future__ import annotations

import re
from dataclasses import dataclass

from post_training_toolkit.agents.analysis.measures import tokens_of
from post_training_toolkit.agents.episode import Episode

_NUMBER_AT_END = re.compile(r"[\W_]*\d[\W_\d]*$")


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """A few facts of an episode, so that a log need not be held in memory."""

    id: str
    task: str | None
    prompt_type: str | None
    success: bool | None
    reward: float | None
    acts: int
    tokens: int | None
    cost: float | None
    last_step: int | None

    @classmethod
    def of(cls, episode: Episode, last_step: int | None) -> EpisodeSummary:
        """Take the facts of an episode."""
        return cls(
            id=episode.id,
            task=episode.task,
            prompt_type=episode.prompt_type,
            success=episode.success,
            reward=episode.reward,
            acts=episode.total_steps,
            tokens=tokens_of(episode),
            cost=episode.cost,
            last_step=last_step,
        )

    @property
    def score(self) -> float | None:
        """The reward, or 1 and 0 for success and failure where there is none."""
        if self.reward is None and self.success is not None:
            return float(self.success)
        return self.reward


def task_family(task: str) -> str:
    """Return a task's name without the number at its end.

    >>> task_family("airline-12"), task_family("django__django-11099"), task_family("7")
    ('airline', 'django__django', '')
    """
    return _NUMBER_AT_END.sub("", task)
