"""Writes episodes in one of the formats that can be written."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.writers.atif import atif_text
from post_training_toolkit.agents.writers.native import native_text
from post_training_toolkit.agents.writers.openai_chat import openai_chat_text

_LINES: dict[str, Callable[[Episode], bytes]] = {
    "native": native_text,
    "openai-chat": openai_chat_text,
}
# Of the 255 bytes that file systems allow, some are for the ending.
_LONGEST_NAME = 200
_ENDING = ".trajectory.json"
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def write_traces(episodes: Iterable[Episode], kind: str, output: Path) -> int:
    """Write episodes as they come, to a file of JSON lines or for ``atif`` to a folder of files.

    An id that was there before gets a number behind it: lines of two episodes would run together.
    A file is written whole or not at all. Returns how many episodes there were.
    """
    episodes = _with_ids_of_their_own(episodes)
    if kind in _LINES:
        return _write_lines(episodes, _LINES[kind], output)
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob(f"*{_ENDING}"):
        old.unlink()
    names: Counter[str] = Counter()
    count = 0
    for episode in episodes:
        plain = _NOT_IN_NAMES.sub("-", episode.id).encode()[:_LONGEST_NAME]
        name = _unused(plain.decode(errors="ignore") or "episode", names)
        (output / f"{name}{_ENDING}").write_bytes(atif_text(episode))
        count += 1
    return count


def _write_lines(
    episodes: Iterable[Episode], text_of: Callable[[Episode], bytes], output: Path
) -> int:
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.unfinished")
    count = 0
    try:
        with unfinished.open("wb") as file:
            for episode in episodes:
                file.write(text_of(episode))
                count += 1
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _with_ids_of_their_own(episodes: Iterable[Episode]) -> Iterator[Episode]:
    taken: Counter[str] = Counter()
    for episode in episodes:
        chosen = _unused(episode.id, taken)
        yield episode if chosen == episode.id else replace(episode, id=chosen)


def _unused(name: str, taken: Counter[str]) -> str:
    """Return the name, with a number behind it if it is taken; it is now."""
    chosen = name
    while chosen in taken:
        taken[name] += 1
        chosen = f"{name}-{taken[name]}"
    taken[chosen] += 1
    return chosen
