"""A log of agent runs: the episodes of one or more traces, in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceError, TraceProblem
from post_training_toolkit.agents.readers.choose import format_named, read_paths
from post_training_toolkit.agents.readers.native import FORMAT as NATIVE
from post_training_toolkit.agents.writers.trace_file import write_traces

if TYPE_CHECKING:
    from post_training_toolkit.agents.analysis import Analysis, AnalysisSettings

TracePath = str | os.PathLike[str]

_ADVICE = "Read what is sound with skip_bad=True; `ptt-agents validate` lists every bad record."


class AgentRunLog(Sequence[Episode]):
    """The episodes of agent traces, in the order of the traces.

    ``problems`` are the records that were skipped because they could not be read.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> log = AgentRunLog([Episode("ep_1", (Message(Role.USER, "Hi"),), success=True)])
    >>> len(log), log["ep_1"].success
    (1, True)
    """

    def __init__(self, episodes: Iterable[Episode], problems: Iterable[TraceProblem] = ()) -> None:
        self._episodes = tuple(episodes)
        self.problems = tuple(problems)

    @classmethod
    def from_jsonl(cls, path: TracePath, *, skip_bad: bool = False) -> AgentRunLog:
        """Read the toolkit's own JSON lines; see ``read`` for other formats.

        Raises ``TraceError`` with every line that cannot be read, unless ``skip_bad`` leaves them
        out: ``problems`` holds them then, and an episode names its own in ``unread_lines``.
        """
        return cls.read(path, format=NATIVE.name, skip_bad=skip_bad)

    @classmethod
    def read(
        cls,
        *paths: TracePath,
        format: str | None = None,  # noqa: A002 - the word of the command line
        skip_bad: bool = False,
    ) -> AgentRunLog:
        """Read files, or all files of folders, in any known format.

        The format is found by the content of each file, unless ``format`` names it. Raises
        ``TraceError`` with every record that cannot be read, unless ``skip_bad`` leaves them out,
        and ``ValueError`` for a format that there is not.
        """
        chosen = None if format is None else format_named(format)
        episodes: list[Episode] = []
        problems: list[TraceProblem] = []
        for each in read_paths(map(Path, paths), chosen):
            if isinstance(each, TraceProblem):
                problems.append(each)
            else:
                episodes.append(each)
        if problems and not skip_bad:
            raise TraceError(problems, _ADVICE)
        return cls(episodes, problems)

    def to_jsonl(self, path: TracePath) -> None:
        """Write the episodes as the toolkit's own JSON lines, all or nothing."""
        write_traces(self._episodes, NATIVE.name, Path(path))

    def filter(self, predicate: Callable[[Episode], object]) -> AgentRunLog:
        """Return a log of the episodes for which the predicate holds."""
        return AgentRunLog(filter(predicate, self._episodes), self.problems)

    def analyze(
        self,
        *,
        rules: TracePath | Sequence[TracePath] = (),
        settings: AnalysisSettings | None = None,
    ) -> Analysis:
        """Return what the episodes show: loops, tool errors, success by kind of prompt, cost.

        ``print(runs.analyze())`` shows it as text; see ``Analysis`` for Markdown and JSON.
        ``rules`` are rule files of your own, or folders of them, beside the shipped ones.

        Raises ``InvalidRulesError`` with every mistake in the rules.
        """
        from post_training_toolkit.agents.analysis import analyze

        return analyze(self, rules=rules, settings=settings)

    def __len__(self) -> int:
        return len(self._episodes)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._episodes)

    @overload
    def __getitem__(self, key: int | str) -> Episode: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Episode, ...]: ...

    def __getitem__(self, key: int | str | slice) -> Episode | tuple[Episode, ...]:
        """Return an episode by its place or by its id; ``KeyError`` for an id that is not there."""
        if not isinstance(key, str):
            return self._episodes[key]
        for episode in self._episodes:
            if episode.id == key:
                return episode
        raise KeyError(f"no episode {key!r} among {len(self)}")

    def __repr__(self) -> str:
        judged = [episode.success for episode in self._episodes if episode.success is not None]
        skipped = f", {len(self.problems)} records skipped" if self.problems else ""
        return (
            f"AgentRunLog({len(self)} episodes, {len(judged)} judged, {sum(judged)} successful"
            f"{skipped})"
        )
