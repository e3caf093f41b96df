"""Reads the toolkit's own JSON lines: one line a step, every line names its episode."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.native_episode import build_episode
from post_training_toolkit.agents.readers.native_line import (
    AnyLine,
    EndLine,
    Extra,
    LineError,
    StartLine,
    convert_line,
    decode_line,
)
from post_training_toolkit.agents.readers.records import Record, TraceFile, layout
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

# An id that is used again is told as long as so few episodes lie between: memory stays bounded.
_ENDED_KNOWN = 100_000

_Decoded = tuple[AnyLine, Extra] | LineError


class _Open:
    """The lines of an episode that has not ended yet, and the numbers of those left out."""

    __slots__ = ("first", "lines", "unread")

    def __init__(self, first: int) -> None:
        self.first = first
        self.lines: list[tuple[AnyLine, Extra]] = []
        self.unread: list[int] = []


def recognises(sample: Sample) -> bool:
    """Whether most of the first lines name an episode and a type of step."""
    known = sum(map(_is_line, sample.records))
    return known * 2 > len(sample.records)


def _is_line(record: Any) -> bool:
    return isinstance(record, dict) and "episode_id" in record and "type" in record


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield each episode once it has ended, and those without an end when the file does.

    Lines of several episodes may be mixed; only what has not ended is kept in memory. A line that
    cannot be read is left out of its episode, which names it in ``unread_lines``.
    """
    return _episodes(_decoded(file), file)


def _decoded(file: TraceFile) -> Iterator[tuple[int, _Decoded]]:
    if layout(file.head()) == "lines":
        for number, text in file.lines():
            try:
                yield number, decode_line(text)
            except LineError as error:
                yield number, error
        return
    for number, record in enumerate(file.records(), start=1):
        try:
            if not isinstance(record, Record):
                raise LineError(record.message)
            yield number, convert_line(record.value)
        except LineError as error:
            yield number, error


def _episodes(
    lines: Iterable[tuple[int, _Decoded]], file: TraceFile
) -> Iterator[Episode | TraceProblem]:
    episodes: dict[str, _Open] = {}
    ended: OrderedDict[str, int] = OrderedDict()
    for number, decoded in lines:
        if isinstance(decoded, LineError):
            yield _problem(file, number, decoded.episode_id, str(decoded))
            if decoded.episode_id in episodes:
                episodes[decoded.episode_id].unread.append(number)
            continue
        line = decoded[0]
        episode_id = line.episode_id
        episode = episodes.get(episode_id)
        if episode is None:
            if episode_id in ended:
                yield _problem(file, number, episode_id, _after_end(ended[episode_id]))
                continue
            episode = episodes[episode_id] = _Open(number)
        elif type(line) is StartLine:
            episode.unread.append(number)
            yield _problem(file, number, episode_id, "a start in the middle of the episode")
            continue
        episode.lines.append(decoded)
        if type(line) is EndLine:
            ended[episode_id] = number
            if len(ended) > _ENDED_KNOWN:
                ended.popitem(last=False)
            del episodes[episode_id]
            yield build_episode(episode.lines, episode.unread, file.name, episode.first)
    for episode in episodes.values():
        yield build_episode(episode.lines, episode.unread, file.name, episode.first)


def _problem(file: TraceFile, number: int, episode_id: str | None, message: str) -> TraceProblem:
    place = "" if episode_id is None else f"episode {episode_id!r}"
    return file.problem(number, message, place)


def _after_end(line: int) -> str:
    return f"a step after the end in line {line}; every episode needs an id of its own"


FORMAT = TraceFormat("native", "the toolkit's own JSON lines", recognises, read)
