"""Writes traces while an agent runs: for people who write their own agent loop."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from post_training_toolkit.agents.message import JsonObject


class TraceWriter:
    """Appends episodes to a file of JSON lines, one line a step, handed to the system at once.

    What was logged before a crash stays; the episode of the crash has no end, and readers say so.
    Several processes may write to one file, and the episodes of several threads may be mixed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "agent_runs.jsonl"
    >>> with TraceWriter(path).episode("ep_1", task="flights") as episode:
    ...     episode.user("Find flights to Paris")
    ...     episode.tool_call("search_flights", {"dest": "Paris"})
    ...     episode.tool_result("search_flights", ["AF 1234"])
    ...     episode.assistant("There is one: AF 1234.")
    ...     episode.end(success=True)
    >>> from post_training_toolkit.agents import AgentRunLog
    >>> AgentRunLog.from_jsonl(path)["ep_1"].final_answer
    'There is one: AF 1234.'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._close_torn_line()

    def episode(
        self,
        episode_id: str | None = None,
        *,
        task: str | int | None = None,
        prompt_type: str | None = None,
        system: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        model: str | None = None,
        trial: int | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> EpisodeWriter:
        """Begin an episode; without an id it gets one that no other has."""
        chosen = f"ep_{uuid.uuid4().hex[:12]}" if episode_id is None else episode_id
        writer = EpisodeWriter(self, chosen)
        start = {
            "task_id": task,
            "prompt_type": prompt_type,
            "system": system,
            "tools": None if tools is None else [dict(tool) for tool in tools],
            "model": model,
            "trial": trial,
            "metadata": None if metadata is None else dict(metadata),
        }
        if any(value is not None for value in start.values()):
            self.append({"episode_id": chosen, "type": "episode_start", **_known(start)})
        return writer

    def append(self, line: JsonObject) -> None:
        """Write one line; values that JSON does not know are written as their text."""
        text = _as_json(line)
        with self.path.open("ab", buffering=0) as file:
            file.write(text + b"\n")

    def _close_torn_line(self) -> None:
        """End the line that a crash cut off, so that the next one is not glued to it."""
        with self.path.open("ab+", buffering=0) as file:
            if file.tell() == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


class EpisodeWriter:
    """Writes the steps of one episode in the order of the calls; ``id`` is the episode's.

    As a context it ends the episode: with the error that left the block, or, if ``end`` was not
    called, without a judgement.
    """

    def __init__(self, writer: TraceWriter, episode_id: str) -> None:
        self.id = episode_id
        self._writer = writer
        self._steps = count()
        self._ended = False

    def system(self, content: str) -> None:
        """Log instructions to the model."""
        self._step("system_message", {"content": content})

    def user(self, content: str) -> None:
        """Log what the user says."""
        self._step("user_message", {"content": content})

    def assistant(
        self,
        content: str | None,
        *,
        reasoning: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost: float | None = None,
        finish_reason: str | None = None,
    ) -> None:
        """Log what the model says; log its calls of tools behind it, with ``tool_call``."""
        known = {
            "reasoning": reasoning,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "cost": cost,
            "finish_reason": finish_reason,
        }
        self._step("assistant_message", {"content": content, **_known(known)})

    def tool_call(
        self, tool: str, args: Mapping[str, Any] | str | None = None, *, call_id: str | None = None
    ) -> None:
        """Log a call of a tool; arguments that could not be parsed may be given as text.

        Calls that are made in parallel need a ``call_id``, which their results repeat.
        """
        given = args if isinstance(args, str) else dict(args or {})
        self._step("tool_call", {"tool": tool, "args": given, **_known({"call_id": call_id})})

    def tool_result(
        self,
        tool: str,
        result: Any,
        *,
        call_id: str | None = None,
        error: str | bool | None = None,
    ) -> None:
        """Log what a tool answered; ``error`` is True, or says what went wrong."""
        known = _known({"call_id": call_id, "error": error})
        self._step("tool_result", {"tool": tool, "result": result, **known})

    def end(
        self,
        *,
        success: bool | None = None,
        reward: float | None = None,
        total_tokens: int | None = None,
        cost: float | None = None,
        end_reason: str | None = None,
    ) -> None:
        """End the episode; leave ``success`` out where nobody judged it.

        Raises ``RuntimeError`` when it has ended already.
        """
        known = {
            "success": success,
            "reward": reward,
            "total_tokens": total_tokens,
            "cost": cost,
            "end_reason": end_reason,
        }
        self._step("episode_end", _known(known))
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ended:
            return
        self.end(end_reason=None if kind is None else f"{kind.__name__}: {error}")

    def _step(self, kind: str, fields: JsonObject) -> None:
        if self._ended:
            raise RuntimeError(f"episode {self.id!r} has ended; begin another one")
        line = {"episode_id": self.id, "step": next(self._steps), "type": kind, **fields}
        self._writer.append(line)


def _as_json(line: JsonObject) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Half of a surrogate pair, or a whole number of more than 64 bits.
        return json.dumps(line, default=str).encode()


def _known(fields: Mapping[str, Any]) -> JsonObject:
    return {key: value for key, value in fields.items() if value is not None}
