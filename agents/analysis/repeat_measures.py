"""Measures how often an agent does or says the same again."""

from __future__ import annotations

import re
from dataclasses import replace

from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.message import Role
from post_training_toolkit.agents.repetition import Repetition, repetitions
from post_training_toolkit.agents.tool_steps import ToolStep

# The step shown is that of the third time, as from then on it is told.
_TOLD_FROM = 3
_SHORTEST_TEXT = 20
_PUNCTUATION = re.compile(r"[\W_]+")


def measure_repeats(view: EpisodeView, into: EpisodeMeasures) -> None:
    """Measure calls, cycles and texts made again, and answers without an end."""
    _measure_calls(view, into)
    _measure_texts(view, into)


def _measure_calls(view: EpisodeView, into: EpisodeMeasures) -> None:
    found = _found(view, view.calls)
    calls = [each for each in found if each.period == 1]
    cycles = [each for each in found if each.period > 1]
    for name, each in (("repeat/calls", calls), ("repeat/cycles", cycles)):
        step = min((loop.shown_at for loop in each), default=None)
        into.note(name, max((loop.cycles for loop in each), default=0), step)
    near = [] if calls or not _has_equal_results(view) else _found(view, _blurred(view.calls))
    alike = [each for each in near if each.period == 1]
    step = min((loop.shown_at for loop in alike), default=None)
    into.note("repeat/near_calls", max((loop.cycles for loop in alike), default=0), step)


def _found(view: EpisodeView, calls: tuple[ToolStep, ...]) -> list[Repetition]:
    if len(calls) < _TOLD_FROM:
        return []
    waiting = view.settings.waiting_tools
    return list(repetitions(view.episode.messages, calls, _TOLD_FROM, waiting))


def _has_equal_results(view: EpisodeView) -> bool:
    """Whether so many results are equal that a call may have been made again."""
    results = {call.result.content for call in view.calls if call.result is not None}
    return len(results) <= len(view.calls) - _TOLD_FROM + 1


def _blurred(calls: tuple[ToolStep, ...]) -> tuple[ToolStep, ...]:
    return tuple(
        replace(call, key=_PUNCTUATION.sub(" ", call.key).strip().casefold()) for call in calls
    )


def _measure_texts(view: EpisodeView, into: EpisodeMeasures) -> None:
    """Follow the speakers; what another one says, or the user, ends a monologue but no text."""
    longest_text = longest_monologue = monologue = 0
    text_step = monologue_step = None
    latest: dict[str | None, tuple[str, int]] = {}
    speaker: str | None = None
    for index, message in enumerate(view.episode.messages):
        if message.role is not Role.ASSISTANT or message.tool_calls:
            monologue = 0
            continue
        text = (message.content or "").strip()
        if not text:
            continue
        monologue = monologue + 1 if message.name == speaker else 1
        speaker = message.name
        if monologue == _TOLD_FROM and monologue_step is None:
            monologue_step = view.step_of(index)
        longest_monologue = max(longest_monologue, monologue)
        before, times = latest.get(speaker, ("", 0))
        times = times + 1 if text == before else 1
        latest[speaker] = text, times
        if len(text) >= _SHORTEST_TEXT and times > longest_text:
            longest_text = times
            if times == _TOLD_FROM:
                text_step = view.step_of(index)
    into.note("repeat/texts", longest_text, text_step)
    into.note("repeat/monologue", longest_monologue, monologue_step)
