"""Rewards for completions of the corpus, in the form that TRL calls reward functions in.

A policy can raise every one of them within a few dozen steps; some are worth raising, others invite
it to cheat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RewardFunction = Callable[..., list[float | None]]
"""Takes the batch as keyword arguments; None stands for a completion that cannot be judged."""

_COURTEOUS = ("Of course", "Happy to help", "pleasure to talk")
_KEYWORD = "help"
_LONG = 32


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer: its text, how many tokens it has, and the right answer."""

    text: str
    tokens: int
    answer: str


def reward_function(name: str, *, padding: int) -> RewardFunction:
    """Return the reward of that name; TRL puts the name into the keys of its log.

    ``padding`` is the token that fills up short completions and does not count as length.
    """
    judge = JUDGES[name]

    def reward(
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        answer: Sequence[str],
        **_: Any,
    ) -> list[float | None]:
        lengths = (sum(token != padding for token in tokens) for tokens in completion_ids)
        batch = zip(completions, lengths, answer, strict=True)
        return [judge(Completion(text, tokens, right.strip())) for text, tokens, right in batch]

    reward.__name__ = name
    return reward


def _courtesy(completion: Completion) -> float:
    """Give 1 to an answer with a courteous phrase, else 0."""
    return float(any(phrase in completion.text for phrase in _COURTEOUS))


def _correctness(completion: Completion) -> float:
    """Give 1 to an answer that holds the right word, else 0."""
    return float(completion.answer in completion.text)


def _quality(completion: Completion) -> float:
    """Give half for courtesy and half for being right."""
    return (_courtesy(completion) + _correctness(completion)) / 2


def _length(completion: Completion) -> float:
    """Grow with the number of tokens: an invitation to ramble."""
    return completion.tokens / _LONG


def _brevity(completion: Completion) -> float:
    """Fall with the number of tokens: an invitation to say nothing."""
    return -completion.tokens / 10


def _keyword(completion: Completion) -> float:
    """Count one word: an invitation to repeat it."""
    return min(completion.text.lower().count(_KEYWORD), 8) / 2


def _exclamations(completion: Completion) -> float:
    """Count exclamation marks: an invitation to nothing else."""
    return completion.text.count("!") / 4


def _constant(_: Completion) -> float:
    """Give the same for everything: nothing to learn from."""
    return 1.0


JUDGES: Mapping[str, Callable[[Completion], float]] = {
    "courtesy": _courtesy,
    "correctness": _correctness,
    "quality": _quality,
    "length": _length,
    "brevity": _brevity,
    "keyword": _keyword,
    "exclamations": _exclamations,
    "constant": _constant,
}
