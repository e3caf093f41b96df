"""Which episodes are good and which are bad: the user's predicates, asked safely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.agents.prompt_key import prompt_of

Predicate = Callable[[Episode], object]


class PredicateError(ValueError):
    """A predicate failed; the text names it and the episode."""


class LeftOut(StrEnum):
    """Why an episode cannot be trained on; the value is what a report says."""

    UNLABELLED = "nobody judged them (success is None)"
    UNREAD = "lines of them could not be read"
    BROKEN_OFF = "their record breaks off"
    PROMPT_ENDS = "their prompt ends with an answer, behind which templates start no other"
    UNPARSED = "a call of theirs has arguments that are no JSON object"
    NO_PROMPT = "they begin with an answer, without a prompt"
    NO_ANSWER = "they have no answer of the assistant"
    COPIED = "they begin with copied turns, which only form='prompt-completion' can leave out"
    NOT_POSITIVE = "the positive predicate does not hold"
    NEITHER = "neither predicate holds"
    BOTH = "both predicates hold"


def succeeded(episode: Episode) -> bool:
    """Whether somebody judged the episode a success."""
    return episode.success is True


def failed(episode: Episode) -> bool:
    """Whether somebody judged the episode a failure."""
    return episode.success is False


def reason_left_out(episode: Episode) -> LeftOut | None:
    """Return why nothing can be learned from the record of an episode, None for a sound one."""
    if episode.unread_lines:
        return LeftOut.UNREAD
    if not episode.ended:
        return LeftOut.BROKEN_OFF
    prompt = prompt_of(episode)
    if len(prompt) == len(episode.messages):
        return LeftOut.NO_ANSWER
    # Many templates refuse arguments that are text, and a model should not learn them.
    unparsed = LeftOut.UNPARSED if any(map(_is_unparsed, episode.tool_calls)) else None
    return reason_no_prompt(prompt) or unparsed


def reason_no_prompt(messages: Sequence[Message]) -> LeftOut | None:
    """Return why nothing can be sampled behind messages, None for a sound prompt."""
    if all(message.role is Role.SYSTEM for message in messages):
        return LeftOut.NO_PROMPT
    return LeftOut.PROMPT_ENDS if messages[-1].role is Role.ASSISTANT else None


def _is_unparsed(call: ToolCall) -> bool:
    return call.unparsed is not None


def judge(
    episode: Episode, positive: Predicate, negative: Predicate, *, unlabelled: bool
) -> bool | LeftOut:
    """Return whether an episode is good (True) or bad (False), or why it is neither.

    Without ``unlabelled`` an episode that nobody judged is left out before the predicates are
    asked: for ``not e.success`` it would be a failure, which nobody said. Raises
    ``PredicateError``.
    """
    reason = reason_left_out(episode)
    if reason is not None:
        return reason
    if episode.success is None and not unlabelled:
        return LeftOut.UNLABELLED
    good = holds(positive, episode, "positive")
    bad = holds(negative, episode, "negative")
    if good and bad:
        return LeftOut.BOTH
    if not good and not bad:
        return LeftOut.NEITHER
    return good


def holds(predicate: Predicate, episode: Episode, name: str) -> bool:
    """Return whether a predicate holds; raise ``PredicateError`` where it fails."""
    try:
        return bool(predicate(episode))
    except (
        TypeError,
        AttributeError,
        ValueError,
        KeyError,
        IndexError,
        ZeroDivisionError,
    ) as error:
        raise PredicateError(
            f"the {name} predicate failed on episode {episode.id!r}: "
            f"{type(error).__name__}: {error}; fields that a trace does not say are None"
        ) from error
