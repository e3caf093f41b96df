"""Renders an episode as text for a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import click

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.rules.printable import printable

_MOST_LINES = 20
_WIDTH = 100
_INDENT = "    "
_COLOURS = {
    Role.SYSTEM: "magenta",
    Role.USER: "blue",
    Role.ASSISTANT: "green",
    Role.TOOL: "yellow",
}


def episode_line(episode: Episode) -> str:
    """Return one line about an episode.

    >>> episode_line(Episode("ep_1", (), success=True, reward=1.0, task="flights"))
    'ep_1  success  reward 1  0 messages  0 tool calls  task flights'
    """
    said = [printable(episode.id), *_outcome(episode), f"{len(episode.messages)} messages"]
    said.append(f"{sum(1 for _ in episode.tool_calls)} tool calls")
    if episode.task is not None:
        said.append(f"task {printable(episode.task)}")
    return "  ".join(said)


def episode_text(episode: Episode, *, full: bool = False) -> Iterator[str]:
    """Yield the lines of an episode: what is known of it, then each message with its step.

    Texts of more than 20 lines are cut unless ``full``; control characters are made visible.
    """
    yield click.style(printable(episode.id), bold=True) + "  " + "  ".join(_outcome(episode))
    for name, value in _facts(episode):
        yield f"  {name}: {printable(value)}"
    for index, message in enumerate(episode.messages):
        step = index if message.step is None else message.step
        yield ""
        yield _heading(step, message)
        yield from _message(message, full=full)
    if not episode.ended:
        yield ""
        yield click.style("The record breaks off here.", fg="red")


def _outcome(episode: Episode) -> list[str]:
    words = {True: "success", False: "failure", None: "not judged"}
    said = [words[episode.success]]
    if episode.reward is not None:
        said.append(f"reward {episode.reward:g}")
    return said


def _facts(episode: Episode) -> Iterator[tuple[str, str]]:
    numbers = {"tokens": episode.total_tokens, "cost in US dollars": episode.cost}
    texts = {
        "task": episode.task,
        "kind of prompt": episode.prompt_type,
        "trial": episode.trial,
        "model": episode.model,
        **{name: None if value is None else f"{value:,}" for name, value in numbers.items()},
        "ended": episode.end_reason,
    }
    yield from ((name, str(value)) for name, value in texts.items() if value is not None)
    if episode.tools is not None:
        yield "tools", ", ".join(tool["function"]["name"] for tool in episode.tools) or "none"
    if episode.unread_lines:
        yield "lines that could not be read", ", ".join(map(str, episode.unread_lines))


def _heading(step: int, message: Message) -> str:
    name = f" {printable(message.name)}" if message.name else ""
    failed = " failed" if message.failed else ""
    return click.style(
        f"[{step}] {message.role}{name}{failed}", fg=_COLOURS[message.role], bold=True
    )


def _message(message: Message, *, full: bool) -> Iterator[str]:
    if message.reasoning:
        yield from (click.style(line, dim=True) for line in _lines(message.reasoning, full=full))
    if message.content:
        yield from _lines(message.content, full=full)
    for kind in message.left_out:
        yield f"{_INDENT}({printable(kind)}, which is no text)"
    for call in message.tool_calls:
        yield from _lines(_call(call), full=full)


def _call(call: ToolCall) -> str:
    if call.unparsed is not None:
        return f"-> {call.name}({call.unparsed})  (arguments are no JSON object)"
    given = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items()
    )
    return f"-> {call.name}({given})"


def _lines(text: str, *, full: bool) -> Iterator[str]:
    wrapped = [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(printable(line), _WIDTH, break_on_hyphens=False) or [""]
    ]
    shown = wrapped if full else wrapped[:_MOST_LINES]
    yield from (_INDENT + line for line in shown)
    if len(wrapped) > len(shown):
        yield f"{_INDENT}... {len(wrapped) - len(shown)} more lines, which --full shows"
