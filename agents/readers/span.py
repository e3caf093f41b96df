"""A span of a trace: one call of a model, one run of a tool, or what encloses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from post_training_toolkit.agents.message import JsonObject, Message, ModelCall

_NOTHING_KNOWN = ModelCall()


class SpanKind(StrEnum):
    """What a span measures."""

    MODEL = "model"
    TOOL = "tool"
    AGENT = "agent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run of a tool as its span tells it; None where it does not say."""

    name: str
    call_id: str | None
    arguments: JsonObject | None
    result: str | None
    structured: Any
    failed: bool | None


@dataclass(frozen=True, slots=True)
class Span:
    """One span, with its messages read.

    ``start`` orders the spans of a trace: a time as text of one format, or a number. ``ended`` says
    that the span has an end. ``problem`` is why its messages could not be read; they are none then.
    """

    id: str
    parent: str | None
    name: str
    kind: SpanKind
    start: str | float
    ended: bool
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tools: tuple[JsonObject, ...] | None = None
    model: str | None = None
    model_call: ModelCall = _NOTHING_KNOWN
    error: str | None = None
    tool: ToolRun | None = None
    plain: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, and what is said of it as a whole.

    ``scores`` are judgements of the trace by their names, as they are.
    """

    id: str
    spans: tuple[Span, ...]
    scores: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
