"""The measures of one episode, and the steps that show them."""

from __future__ import annotations

from dataclasses import dataclass, field

from post_training_toolkit.agents.analysis.argument_check import ArgumentCheck
from post_training_toolkit.agents.analysis.settings import AnalysisSettings
from post_training_toolkit.agents.analysis.tool_errors import is_error
from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.tool_steps import ToolStep, tool_steps


@dataclass(slots=True)
class EpisodeMeasures:
    """``values`` holds the measures by name, ``steps`` the step that shows a measure first.

    Steps are numbered as the trace does, else by the place of the message from 0. What cannot be
    measured of an episode is not there.
    """

    values: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, value: float, step: int | None = None) -> None:
        """Set a measure and, where there is anything to show, the step that shows it."""
        self.values[name] = float(value)
        if value and step is not None:
            self.steps[name] = step


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """An episode with what several measures look at: its calls, and whether each gave an error.

    ``failed`` runs along ``calls``; None for a call without a result.
    """

    episode: Episode
    settings: AnalysisSettings
    arguments: ArgumentCheck
    calls: tuple[ToolStep, ...]
    failed: tuple[bool | None, ...]

    @classmethod
    def of(
        cls, episode: Episode, settings: AnalysisSettings, arguments: ArgumentCheck
    ) -> EpisodeView:
        """Look at an episode."""
        calls = tool_steps(episode.messages)
        failed = tuple(None if call.result is None else is_error(call.result) for call in calls)
        return cls(episode, settings, arguments, calls, failed)

    def step_of(self, index: int) -> int:
        """Return the number of a message; places from the end are negative."""
        messages = self.episode.messages
        step = messages[index].step
        return index % len(messages) if step is None else step

    @property
    def last_step(self) -> int | None:
        """The number of the last message; None for an episode without messages."""
        return self.step_of(-1) if self.episode.messages else None
