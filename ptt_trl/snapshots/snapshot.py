"""What a model said to a set of prompts at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt


class Refusal(StrEnum):
    """Whether a reply refuses: not at all, while it answers in part, or wholly."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


class Moment(StrEnum):
    """When in a run a snapshot was taken; one of a model directory stands alone."""

    START = "start"
    DURING = "during"
    END = "end"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said to one prompt.

    ``prompt`` is the id of the prompt. ``sample`` is 0 for the greedy reply and counts drawn ones
    from 1. ``tokens`` is how many tokens were generated before the end token, ``truncated`` whether
    none came within the limit.
    """

    prompt: str
    sample: int
    text: str
    tokens: int
    truncated: bool
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Generation:
    """How replies are generated: greedily, and ``samples`` more are drawn of sampled prompts.

    ``max_new_tokens`` is the most tokens of a reply, ``batch_size`` how many prompts are answered
    at once. Sampling is at ``temperature``, over the whole vocabulary, from ``seed``.
    """

    max_new_tokens: int = 64
    samples: int = 4
    temperature: float = 1.0
    seed: int = 0
    batch_size: int = 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: prompts, replies in the order of the prompts, and measures of them.

    ``step`` counts optimizer steps, None outside of a run. ``model`` identifies the model as the
    run metadata do, ``time`` is seconds since 1970, ``seconds`` how long the snapshot took.
    ``measures`` are numbers by name, without the prefix that they have as metrics.
    """

    step: int | None
    moment: Moment
    time: float
    seconds: float
    model: Mapping[str, Any]
    generation: Generation
    prompts: tuple[Prompt, ...]
    replies: tuple[Reply, ...]
    measures: Mapping[str, float]

    def replies_to(self, prompt: str) -> tuple[Reply, ...]:
        """Return the replies to the prompt of that id, the greedy one first."""
        return tuple(each for each in self.replies if each.prompt == prompt)
