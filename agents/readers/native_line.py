"""What a line of the toolkit's own traces may hold, and how one is decoded."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
from msgspec import Struct

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.readers.records import parse_text
from post_training_toolkit.rules.suggestion import did_you_mean, guess

PARSE_ERROR = "tool_parse_error"


class Line(Struct, tag_field="type", kw_only=True, gc=False, forbid_unknown_fields=True):
    """What every line may hold; it names its episode, and lines stand in the order of steps."""

    episode_id: str
    step: int | None = None
    timestamp: str | float | None = None
    metadata: JsonObject | None = None
    tokens: int | None = None


class StartLine(Line, tag="episode_start"):
    """Optional first line: what was to be done, by whom and with what."""

    task_id: str | int | None = None
    prompt_type: str | None = None
    system: str | None = None
    tools: list[JsonObject] | None = None
    model: str | None = None
    trial: int | str | None = None
    unread_lines: list[int] | None = None


class SystemLine(Line, tag="system_message"):
    """Instructions to the model."""

    content: str | list[Any] | None
    name: str | None = None
    left_out: list[str] | None = None


class UserLine(Line, tag="user_message"):
    """What the user says."""

    content: str | list[Any] | None
    name: str | None = None
    left_out: list[str] | None = None


class AssistantLine(Line, tag="assistant_message"):
    """What the model says; the calls that belong to it follow as lines of their own."""

    content: str | list[Any] | None = None
    name: str | None = None
    left_out: list[str] | None = None
    reasoning: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    finish_reason: str | None = None


class ToolCallLine(Line, tag="tool_call"):
    """A call of a tool; arguments that are text are taken for JSON."""

    tool: str
    args: JsonObject | str | None = None
    call_id: str | None = None


class ParseErrorLine(Line, tag=PARSE_ERROR):
    """A call that could not be parsed: its text, or what was said of it."""

    tool: str | None = None
    content: str | None = None
    error: str | None = None
    call_id: str | None = None


class ToolResultLine(Line, tag="tool_result"):
    """What a tool answered: anything; ``error`` is true or a text when the call failed."""

    tool: str | None = None
    result: Any = None
    error: str | bool | None = None
    call_id: str | None = None
    left_out: list[str] | None = None


class EndLine(Line, tag="episode_end"):
    """Last line: how it went; without a judgement ``success`` is null."""

    success: bool | None = None
    reward: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    total_cost: float | None = None
    end_reason: str | None = None


AnyLine = (
    StartLine
    | SystemLine
    | UserLine
    | AssistantLine
    | ToolCallLine
    | ParseErrorLine
    | ToolResultLine
    | EndLine
)
# Keys that no line knows, by which traces say more than the format does.
Extra = JsonObject | None

_TYPES: dict[str, type[Line]] = {str(each.__struct_config__.tag): each for each in AnyLine.__args__}
FIELDS = {name: frozenset(("type", *each.__struct_fields__)) for name, each in _TYPES.items()}
_DECODER = msgspec.json.Decoder(AnyLine)
_EXPECTED_GOT = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.?(.*)`)?")
_MISSING = re.compile(r"Object missing required field `(.+?)`")


class LineError(ValueError):
    """A line that is no step of an episode; the text says why and what would be right."""

    def __init__(self, message: str, episode_id: str | None = None) -> None:
        super().__init__(message)
        self.episode_id = episode_id


def decode_line(text: bytes) -> tuple[AnyLine, Extra]:
    """Return the step that a line of JSON holds, and those of its keys that are not known.

    Raises ``LineError``.

    >>> line, extra = decode_line(b'{"episode_id": "e", "type": "user_message", "content": "Hi"}')
    >>> line.content, extra
    ('Hi', None)
    """
    try:
        return _DECODER.decode(text), None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        try:
            value = parse_text(text)
        except ValueError as error:
            raise LineError(f"no JSON: {error}", _named_in(text)) from None
        return convert_line(value)


def convert_line(value: Any) -> tuple[AnyLine, Extra]:
    """Return the step that a JSON value holds; see ``decode_line``.

    >>> convert_line({"episode_id": "e", "type": "user_message", "content": 3, "team": "blue"})
    Traceback (most recent call last):
        ...
    post_training_toolkit.agents.readers.native_line.LineError: 'content' is int; expected str \
or array or null
    """
    if not isinstance(value, dict):
        raise LineError(f"the line is {type(value).__name__}; expected a JSON object")
    episode_id = value.get("episode_id")
    episode_id = episode_id if isinstance(episode_id, str) else None
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise LineError(_unknown_type(kind), episode_id)
    known = FIELDS[kind]
    extra = {key: each for key, each in value.items() if key not in known}
    try:
        line: AnyLine = msgspec.convert(
            {key: _whole(each) for key, each in value.items() if key in known}, AnyLine
        )
    except msgspec.ValidationError as error:
        raise LineError(_in_words(str(error), kind, extra), episode_id) from None
    for name in ("reward", "cost", "total_cost"):
        number = getattr(line, name, None)
        if number is not None and not math.isfinite(number):
            raise LineError(f"{name!r} is {number}; expected a finite number", episode_id)
    return line, extra or None


def _whole(value: Any) -> Any:
    """Return a number like 3.0 as 3: tables of numbers know no whole ones."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unknown_type(kind: object) -> str:
    if kind is None:
        return f"no 'type'; expected one of {', '.join(_TYPES)}"
    return f"unknown type {kind!r}{did_you_mean(kind, _TYPES)}"


def _in_words(error: str, kind: str, extra: JsonObject) -> str:
    if missing := _MISSING.match(error):
        name = missing[1]
        return f"a {kind} without {name!r}{guess(name, extra)}"
    if wrong := _EXPECTED_GOT.match(error):
        expected = wrong[1].replace(" | ", " or ")
        return f"{wrong[3]!r} is {wrong[2]}; expected {expected}"
    return error


def _named_in(text: bytes) -> str | None:
    """Return the episode that a torn line names, so that the episode knows what it lacks."""
    found = re.search(rb'"episode_id"\s*:\s*"([^"\\]+)"', text)
    return None if found is None else found[1].decode("utf-8", "replace")
