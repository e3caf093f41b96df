"""Turns the spans of a trace into episodes, one for each conversation of a model.

A trace may hold several agents, each with its own instructions; mixed into one list of messages
they would be a conversation that nobody held. The first conversation has the id of the trace, and
the outcome of the trace is its own; the others have a number behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import Message, Role, ToolCall
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.conversation import (
    Conversation,
    join_calls,
    message_key,
)
from post_training_toolkit.agents.readers.judgement import reward_of, success_of
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.span import Span, SpanKind, ToolRun, Trace


def read_trace(file: TraceFile, trace: Trace) -> Iterator[Episode | TraceProblem]:
    """Yield the episodes of a trace and, before them, the spans that could not be read."""
    place = f"trace {trace.id!r}"
    tree = {span.id: span for span in trace.spans}
    spans = sorted(trace.spans, key=lambda span: _order(span.start))
    for span in spans:
        if span.problem is not None and span.kind is SpanKind.MODEL:
            yield file.problem(trace.line, span.problem, f"{place}: span {span.id!r} {span.name}")
    conversations = _conversations(spans, tree)
    if not conversations:
        yield file.problem(trace.line, "no call of a model whose messages can be read", place)
    for number, conversation in enumerate(conversations, start=1):
        yield _episode(file, trace, tree, conversation, number)


def _order(start: str | float) -> tuple[bool, Any]:
    return isinstance(start, str), start


def _conversations(spans: Sequence[Span], tree: dict[str, Span]) -> list[Conversation]:
    calls = [
        (span, _agent(span, tree))
        for span in spans
        if span.kind is SpanKind.MODEL and (span.input or span.output)
    ]
    found = join_calls(_innermost(calls, tree))
    if not found:
        found = join_calls(
            (span, span.id)
            for span in spans
            if span.kind is not SpanKind.TOOL and span.input and span.output
        )[:1]
    _add_from_around(found, spans)
    runs = [(span.tool, _agent(span, tree)) for span in spans if span.tool is not None]
    for conversation in found:
        _add_instructions(conversation, tree)
        _add_runs(
            conversation,
            [tool for tool, agent in runs if len(found) == 1 or agent == conversation.scope],
        )
    return found


def _innermost(
    calls: Sequence[tuple[Span, str | None]], tree: dict[str, Span]
) -> list[tuple[Span, str | None]]:
    """Return the calls without those that frameworks wrap around or put inside of a call.

    The innermost with messages is the call itself; inside of it may be one that has only text.
    """
    ids = {span.id for span, _ in calls if not span.plain}
    real = [
        (span, agent)
        for span, agent in calls
        if not (span.plain and any(above.id in ids for above in _above(span, tree)))
    ]
    wrappers = {above.id for span, _ in real for above in _above(span, tree)}
    return [(span, agent) for span, agent in real if span.id not in wrappers]


def _above(span: Span, tree: dict[str, Span]) -> Iterator[Span]:
    """Yield the spans around a span, innermost first; a parent that is not there ends it."""
    seen = {span.id}
    while span.parent is not None and span.parent in tree and span.parent not in seen:
        seen.add(span.parent)
        span = tree[span.parent]
        yield span


def _agent(span: Span, tree: dict[str, Span]) -> str | None:
    """Return the id of the agent's span around a span, else of the outermost one."""
    around = list(_above(span, tree))
    agents = (above.id for above in around if above.kind is SpanKind.AGENT)
    return next(agents, around[-1].id if around else None)


def _add_from_around(found: list[Conversation], spans: Sequence[Span]) -> None:
    """Add what only spans around the calls tell, such as an answer that no call has logged."""
    for span in spans:
        if span.kind in (SpanKind.MODEL, SpanKind.TOOL) or not span.output:
            continue
        said = _without_overlap(span.input, span.output)
        keys = [message_key(message) for message in said]
        for conversation in found:
            if conversation.is_open and conversation.continues(keys):
                conversation.add(said[len(conversation.keys) :])


def _without_overlap(before: Sequence[Message], after: Sequence[Message]) -> list[Message]:
    """Return messages and those after them, which may repeat the last or all of them."""
    first = [message_key(message) for message in before]
    second = [message_key(message) for message in after]
    shared = next(n for n in range(len(second), -1, -1) if first[len(first) - n :] == second[:n])
    return [*before, *after[shared:]]


def _add_instructions(conversation: Conversation, tree: dict[str, Span]) -> None:
    """Put the agent's instructions before a conversation whose calls do not repeat them."""
    agent = tree.get(conversation.scope or "")
    opening = agent.input[0] if agent is not None and agent.input else None
    first = conversation.messages[0]
    if opening is None or opening.role is not Role.SYSTEM or first.role is Role.SYSTEM:
        return
    conversation.open_with(opening)


def _add_runs(conversation: Conversation, runs: Sequence[ToolRun]) -> None:
    """Mark results by the runs of their tools, and add those that no later call repeats."""
    by_id = {run.call_id: run for run in runs if run.call_id is not None}
    for at, message in enumerate(conversation.messages):
        run = by_id.get(message.tool_call_id or "")
        if message.role is Role.TOOL and message.failed is None and run is not None:
            conversation.messages[at] = replace(message, failed=run.failed)
    left = [run for run in runs if not _told(conversation, run)]
    for call in conversation.unanswered:
        run = next((run for run in left if _runs(run, call)), None)
        if run is not None:
            left.remove(run)
            answer = Message(
                Role.TOOL,
                run.result,
                tool_call_id=call.id,
                name=run.name,
                failed=run.failed,
                structured=run.structured,
            )
            conversation.add([answer])


def _told(conversation: Conversation, run: ToolRun) -> bool:
    return run.call_id is not None and any(
        message.tool_call_id == run.call_id for message in conversation.messages
    )


def _runs(run: ToolRun, call: ToolCall) -> bool:
    if run.call_id is not None and call.id is not None:
        return run.call_id == call.id
    return run.name == call.name and run.arguments in (None, call.arguments)


def _episode(
    file: TraceFile,
    trace: Trace,
    tree: dict[str, Span],
    conversation: Conversation,
    number: int,
) -> Episode:
    spans = conversation.spans
    costs = [span.model_call.cost for span in spans if span.model_call.cost is not None]
    first = number == 1
    error = next((span.error for span in reversed(spans[-1:]) if span.error), None)
    reasons = [each.model_call for each in conversation.messages if each.model_call is not None]
    return Episode(
        id=trace.id if first else f"{trace.id}/{number}",
        messages=tuple(conversation.messages),
        tools=_tools(conversation, tree),
        model=next((span.model for span in spans if span.model), None),
        success=success_of(trace.scores) if first else None,
        reward=reward_of(trace.scores) if first else None,
        prompt_tokens=_total([span.model_call.prompt_tokens for span in spans]),
        completion_tokens=_total([span.model_call.completion_tokens for span in spans]),
        cost=fsum(costs) if costs else None,
        end_reason=error or (reasons[-1].finish_reason if reasons else None),
        ended=_ended(conversation, tree),
        metadata={
            **trace.metadata,
            "trace_id": trace.id,
            **({"scores": dict(trace.scores)} if trace.scores and first else {}),
        },
        source=file.name,
        line=trace.line,
    )


def _tools(conversation: Conversation, tree: dict[str, Span]) -> tuple[dict[str, Any], ...] | None:
    """Return every tool that was on offer in a call, else to the agent."""
    offers = [span.tools for span in conversation.spans if span.tools]
    agent = tree.get(conversation.scope or "")
    if not offers and agent is not None and agent.tools:
        offers = [agent.tools]
    named = {tool["function"]["name"]: tool for offer in offers for tool in offer}
    return tuple(named.values()) or None


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _ended(conversation: Conversation, tree: dict[str, Span]) -> bool:
    """Whether the model said its last word, or the outermost span around its calls has an end."""
    last = conversation.messages[-1]
    if last.role is Role.ASSISTANT and not last.tool_calls:
        return True
    span = conversation.spans[-1]
    outermost = [span, *_above(span, tree)][-1]
    return outermost.parent is None and outermost.ended
