"""Pairs good with bad attempts at one prompt."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.training_data.chat_rows import (
    content_key,
    prompt_and_completion,
)

Mode = Literal["trajectory", "step"]
# A prompt with thousands of attempts has millions of pairs; so many are looked at for each that is
# asked for.
_TRIED_PER_PAIR = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt with a better and a worse way on, and the episodes that these come from."""

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    good: Episode
    bad: Episode


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How pairs are made; ``min_margin`` is the least difference of two known rewards."""

    mode: Mode = "trajectory"
    max_pairs_per_prompt: int = 4
    min_margin: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in ("trajectory", "step"):
            raise ValueError(f"mode is {self.mode!r}; expected 'trajectory' or 'step'")
        if self.max_pairs_per_prompt < 1:
            raise ValueError(f"max_pairs_per_prompt is {self.max_pairs_per_prompt}; 1 or more")
        if not math.isfinite(self.min_margin):
            raise ValueError(f"min_margin is {self.min_margin}; expected a number")


def pair_up(
    good: Sequence[Episode],
    bad: Sequence[Episode],
    settings: PairSettings,
    leave_out: Callable[[str, str], object],
) -> Iterator[Pair]:
    """Yield pairs of one prompt's good and bad attempts; each is used about equally often.

    The same episodes give the same pairs in whatever order they come. ``leave_out`` is told the
    reason and the episodes of each pair that was looked at and not taken.
    """
    distinct_good, distinct_bad = _distinct(good, leave_out), _distinct(bad, leave_out)
    for key in distinct_good.keys() & distinct_bad.keys():
        for side in (distinct_good, distinct_bad):
            leave_out("the same is good in one attempt and bad in another", side.pop(key).id)
    made = 0
    seen: set[tuple[bytes, bytes, bytes]] = set()
    candidates = _round_robin(_shuffled(distinct_good, settings), _shuffled(distinct_bad, settings))
    most = _TRIED_PER_PAIR * settings.max_pairs_per_prompt
    for one, other in islice(candidates, most):
        if made == settings.max_pairs_per_prompt:
            return
        pair = _make(one, other, settings)
        if isinstance(pair, Pair):
            prompt, chosen, rejected = map(content_key, (pair.prompt, pair.chosen, pair.rejected))
            if (prompt, rejected, chosen) in seen:
                pair = "a pair that says the opposite is there already"
            elif (prompt, chosen, rejected) in seen:
                pair = "the same pair is there already"
            else:
                seen.add((prompt, chosen, rejected))
                made += 1
                yield pair
                continue
        leave_out(pair, f"{one.id} / {other.id}")


def _make(good: Episode, bad: Episode, settings: PairSettings) -> Pair | str:
    """Return the pair of two attempts, or why there is none."""
    margin = None
    if good.reward is not None and bad.reward is not None:
        margin = good.reward - bad.reward
    if margin is not None and margin < 0:
        return "the good one has the lower reward"
    # A reward that is no number is no margin, either.
    if margin is not None and not margin >= settings.min_margin:
        return f"their rewards differ by less than min_margin = {settings.min_margin:g}"
    prompt, chosen = prompt_and_completion(good)
    _, rejected = prompt_and_completion(bad)
    if settings.mode == "trajectory":
        return Pair(prompt, chosen, rejected, good, bad)
    return _step_pair(prompt, chosen, rejected, good, bad)


def _step_pair(
    prompt: tuple[Message, ...],
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    good: Episode,
    bad: Episode,
) -> Pair | str:
    """Return the first answers in which two attempts differ, behind what they share."""
    for place, (one, other) in enumerate(zip(chosen, rejected, strict=False)):
        if content_key((one,)) == content_key((other,)):
            continue
        if one.role is not Role.ASSISTANT or other.role is not Role.ASSISTANT:
            return "they part where a tool or a user says something else, not the agent"
        if place and chosen[place - 1].role is Role.ASSISTANT:
            return "they part right behind an answer, and a prompt cannot end with one"
        return Pair((*prompt, *chosen[:place]), (one,), (other,), good, bad)
    return "one is the beginning of the other"


def _distinct(
    episodes: Sequence[Episode], leave_out: Callable[[str, str], object]
) -> dict[bytes, Episode]:
    """Return the episodes by what they say; of those that say the same, the first by id."""
    found: dict[bytes, Episode] = {}
    for episode in sorted(episodes, key=_by_id):
        key = content_key(prompt_and_completion(episode)[1])
        if key in found:
            leave_out("another attempt on the same side says the same", episode.id)
        else:
            found[key] = episode
    return found


def _by_id(episode: Episode) -> tuple[str, float]:
    reward = episode.reward
    return episode.id, -math.inf if reward is None or math.isnan(reward) else reward


def _shuffled(episodes: Mapping[bytes, Episode], settings: PairSettings) -> list[Episode]:
    """Return the episodes in an order that depends on what they say and on the seed alone."""

    def place(key: bytes) -> bytes:
        return hashlib.sha256(str(settings.seed).encode() + key).digest()

    return [episodes[key] for key in sorted(episodes, key=place)]


def _round_robin(
    good: Sequence[Episode], bad: Sequence[Episode]
) -> Iterator[tuple[Episode, Episode]]:
    """Yield every pair once, so that after each few of them all were used about equally often.

    >>> [pair for pair in _round_robin("AB", "xy")]
    [('A', 'x'), ('B', 'y'), ('A', 'y'), ('B', 'x')]
    """
    if not good or not bad:
        return
    cycle = math.lcm(len(good), len(bad))
    for number in range(len(good) * len(bad)):
        yield good[number % len(good)], bad[(number + number // cycle) % len(bad)]
