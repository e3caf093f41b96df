"""Finds an agent that does the same thing over and over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from post_training_toolkit.agents.message import Message, Role
from post_training_toolkit.agents.tool_steps import ToolStep, tool_steps

LONGEST_PERIOD = 4
# To ask these again is what they are for.
_WAITING_TOOLS = frozenset({"wait", "sleep"})


@dataclass(frozen=True, slots=True)
class Repetition:
    """The same calls with the same results, again and again.

    ``period`` is the number of calls that repeat, 1 for a single one; ``cycles`` how often they
    were made in all. ``step`` numbers the call that began it, ``shown_at`` the one at which the
    cycle had been made as often as was asked for. ``tools`` are those of one cycle.
    """

    period: int
    cycles: int
    step: int
    shown_at: int
    tools: tuple[str, ...]


def has_repeated_pattern(
    messages: Sequence[Message], *, repeats: int = 3, waiting_tools: frozenset[str] = frozenset()
) -> bool:
    """Whether a call, or a cycle of two to four calls, was made ``repeats`` times or more.

    Calls are the same if tool, arguments and result are. See ``repetitions`` for what counts.

    >>> from post_training_toolkit.agents.message import ToolCall
    >>> again = [Message(Role.ASSISTANT, None, (ToolCall("look", {}),)), Message(Role.TOOL, "dark")]
    >>> has_repeated_pattern(again * 3), has_repeated_pattern(again * 2)
    (True, False)
    """
    found = repetitions(messages, tool_steps(messages), repeats, waiting_tools)
    return next(found, None) is not None


def repetitions(
    messages: Sequence[Message],
    steps: Sequence[ToolStep],
    repeats: int,
    waiting_tools: frozenset[str] = frozenset(),
) -> Iterator[Repetition]:
    """Yield every run of a call or cycle made ``repeats`` times or more, short periods first.

    A call made again before its result was there is no repetition, such as parallel ones. One that
    was never answered, whose answer is no text, or of a waiting tool repeats nothing; what a user
    says begins afresh. Takes time proportional to the number of calls.

    Raises ``ValueError`` for fewer than two repeats.
    """
    if repeats < 2:
        raise ValueError(f"repeats is {repeats}; what happens once is no repetition: 2 or more")
    if len({step.key for step in steps}) > len(steps) - repeats + 1:
        # Most episodes do nothing so often, and need not be looked at more closely.
        return
    kept, units = _units(messages, steps, waiting_tools | _WAITING_TOOLS)
    for period in range(1, LONGEST_PERIOD + 1):
        for start, length in _periodic_runs(units, period):
            cycles = length // period
            if cycles >= repeats and _is_own_period(units, start, period):
                yield Repetition(
                    period,
                    cycles,
                    kept[start].step,
                    kept[start + repeats * period - 1].step,
                    tuple(step.call.name for step in kept[start : start + period]),
                )


def _units(
    messages: Sequence[Message], steps: Sequence[ToolStep], waiting_tools: frozenset[str]
) -> tuple[list[ToolStep], list[int]]:
    """Return the calls that count, and for each a number that equal ones share."""
    speeches = [index for index, message in enumerate(messages) if message.role is Role.USER]
    kept: list[ToolStep] = []
    units: list[int] = []
    known: dict[tuple[int, str, str], int] = {}
    last_of_call: dict[str, ToolStep] = {}
    spoken = 0
    for step in steps:
        while spoken < len(speeches) and speeches[spoken] < step.index:
            spoken += 1
        before = last_of_call.get(step.key)
        if before is not None and not _was_seen(before, step.index):
            continue
        last_of_call[step.key] = step
        kept.append(step)
        # Numbers below zero are shared by nobody.
        answer = None if step.call.name in waiting_tools else _answer(step)
        number = -len(kept)
        if answer is not None:
            number = known.setdefault((spoken, step.key, answer), len(known))
        units.append(number)
    return kept, units


def _was_seen(step: ToolStep, index: int) -> bool:
    if step.result_index is None:
        return step.index < index
    return step.result_index < index


def _answer(step: ToolStep) -> str | None:
    result = step.result
    if result is None or result.left_out:
        return None
    if result.content is None and result.structured is not None:
        return orjson.dumps(result.structured, option=orjson.OPT_SORT_KEYS, default=str).decode()
    return (result.content or "").strip()


def _periodic_runs(units: Sequence[int], period: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of every longest stretch in which each unit is that a period ago."""
    matches = 0
    for place in range(period, len(units)):
        if units[place] == units[place - period]:
            matches += 1
        elif matches:
            yield place - matches - period, matches + period
            matches = 0
    if matches:
        yield len(units) - matches - period, matches + period


def _is_own_period(units: Sequence[int], start: int, period: int) -> bool:
    """Whether the cycle is not itself made of a shorter one."""
    cycle = units[start : start + period]
    return not any(
        cycle[shorter:] == cycle[:-shorter] for shorter in range(1, period) if period % shorter == 0
    )
