"""Turns an episode into a set of measures: a row that the rule engine takes."""

from __future__ import annotations

from post_training_toolkit.agents.analysis.argument_check import ArgumentCheck
from post_training_toolkit.agents.analysis.context_measures import measure_context
from post_training_toolkit.agents.analysis.ending_measures import measure_ending
from post_training_toolkit.agents.analysis.episode_measures import EpisodeMeasures, EpisodeView
from post_training_toolkit.agents.analysis.repeat_measures import measure_repeats
from post_training_toolkit.agents.analysis.settings import AnalysisSettings
from post_training_toolkit.agents.analysis.tool_measures import measure_tools
from post_training_toolkit.agents.episode import Episode


def measure(episode: Episode, settings: AnalysisSettings | None = None) -> EpisodeMeasures:
    """Return the measures of one episode, which the catalogue of agents explains.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> greeting = Episode("e", (Message(Role.USER, "Hi"), Message(Role.ASSISTANT, "Hello")))
    >>> measures = measure(greeting)
    >>> measures.values["acts"], measures.values["end/no_answer"]
    (1.0, 0.0)
    """
    return measure_view(EpisodeView.of(episode, settings or AnalysisSettings(), ArgumentCheck()))


def measure_view(view: EpisodeView) -> EpisodeMeasures:
    """Return the measures of an episode that has been looked at."""
    into = EpisodeMeasures()
    episode = view.episode
    into.note("messages", len(episode.messages))
    into.note("acts", episode.total_steps)
    into.note("tool_calls", len(view.calls))
    for name, value in (
        ("success", episode.success),
        ("reward", episode.reward),
        ("tokens", tokens_of(episode)),
        ("cost", episode.cost),
    ):
        if value is not None:
            into.note(name, value)
    measure_repeats(view, into)
    measure_tools(view, into)
    measure_ending(view, into)
    measure_context(view, into)
    return into


def tokens_of(episode: Episode) -> int | None:
    """Return the tokens of an episode, the sum of its parts where the trace has no total."""
    if episode.total_tokens is not None:
        return episode.total_tokens
    parts = (episode.prompt_tokens, episode.completion_tokens)
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
