"""Builds an episode from the lines of the toolkit's own traces."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import TypeVar

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role, ToolCall
from post_training_toolkit.agents.readers.content import (
    as_text,
    flatten_content,
    parse_arguments,
    parse_tools,
)
from post_training_toolkit.agents.readers.native_line import (
    PARSE_ERROR,
    AnyLine,
    AssistantLine,
    EndLine,
    Extra,
    ParseErrorLine,
    StartLine,
    SystemLine,
    ToolCallLine,
    ToolResultLine,
    UserLine,
)

_Decoded = tuple[AnyLine, Extra]
Number = TypeVar("Number", int, float)


def build_episode(
    lines: list[_Decoded], unread: Sequence[int], source: str, first_line: int
) -> Episode:
    """Return the episode of its lines, of which there is at least one, in the order of steps.

    Calls belong to the answer of the assistant before them, as long as nothing else came between.
    """
    lines = _in_order(lines)
    messages = _messages(lines)
    start, start_extra = lines[0]
    if not isinstance(start, StartLine):
        start, start_extra = StartLine(episode_id=start.episode_id), None
    end, end_extra = lines[-1]
    ended = isinstance(end, EndLine)
    if not isinstance(end, EndLine):
        end, end_extra = EndLine(episode_id=end.episode_id), None
    if start.system is not None:
        messages.insert(0, Message(Role.SYSTEM, start.system))
    prompt_tokens, completion_tokens, total_tokens = _tokens(lines, end)
    return Episode(
        id=start.episode_id,
        messages=tuple(messages),
        task=None if start.task_id is None else str(start.task_id),
        prompt_type=start.prompt_type,
        tools=parse_tools(start.tools),
        model=start.model,
        trial=start.trial,
        success=end.success,
        reward=end.reward,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=total_tokens,
        cost=_cost(lines, end),
        end_reason=end.end_reason,
        ended=ended,
        end_step=end.step,
        metadata=_metadata(start, start_extra) | _metadata(end, end_extra),
        unread_lines=(*(start.unread_lines or ()), *unread),
        source=source,
        line=first_line,
    )


def _in_order(lines: list[_Decoded]) -> list[_Decoded]:
    previous = -1
    for line, _ in lines:
        if line.step is None:
            if type(line) is StartLine:
                continue
            return lines
        if line.step < previous:
            break
        previous = line.step
    else:
        return lines
    if any(line.step is None for line, _ in lines[1:]):
        return lines
    return sorted(lines, key=_place)


def _place(decoded: _Decoded) -> tuple[int, int]:
    """Return where a line goes: steps that share a number keep the order of the file."""
    line = decoded[0]
    kind = 0 if type(line) is StartLine else 2 if type(line) is EndLine else 1
    return kind, line.step or 0


def _messages(lines: Sequence[_Decoded]) -> list[Message]:
    messages: list[Message] = []
    answer: AssistantLine | None = None
    answer_extra: Extra = None
    calls: list[ToolCall] = []
    for line, extra in lines:
        if isinstance(line, (ToolCallLine, ParseErrorLine)):
            calls.append(_call(line, extra))
            continue
        if calls or answer is not None:
            messages.append(_answer(answer, answer_extra, tuple(calls)))
            answer, calls = None, []
        if isinstance(line, AssistantLine):
            answer, answer_extra = line, extra
        elif isinstance(line, ToolResultLine):
            messages.append(_result(line, extra))
        elif isinstance(line, UserLine):
            messages.append(_text(Role.USER, line, extra))
        elif isinstance(line, SystemLine):
            messages.append(_text(Role.SYSTEM, line, extra))
    if calls or answer is not None:
        messages.append(_answer(answer, answer_extra, tuple(calls)))
    return messages


def _text(role: Role, line: UserLine | SystemLine, extra: Extra) -> Message:
    content = line.content
    text, left_out = flatten_content(content)
    return Message(
        role,
        text,
        name=line.name,
        structured=None if text is content else content,
        step=line.step,
        left_out=(*left_out, *(line.left_out or ())),
        extra=_extra(line, extra),
    )


def _answer(line: AssistantLine | None, extra: Extra, calls: tuple[ToolCall, ...]) -> Message:
    if line is None:
        return Message(Role.ASSISTANT, None, calls)
    content = line.content
    text, left_out = flatten_content(content)
    return Message(
        Role.ASSISTANT,
        text,
        calls,
        name=line.name,
        reasoning=line.reasoning,
        structured=None if text is content else content,
        step=line.step,
        model_call=_model_call(line),
        left_out=(*left_out, *(line.left_out or ())),
        extra=_extra(line, extra),
    )


def _model_call(line: AssistantLine) -> ModelCall | None:
    call = ModelCall(line.prompt_tokens, line.completion_tokens, line.cost, line.finish_reason)
    return None if call == ModelCall() else call


def _call(line: ToolCallLine | ParseErrorLine, extra: Extra) -> ToolCall:
    if isinstance(line, ToolCallLine):
        arguments, unparsed = parse_arguments(line.args)
        return ToolCall(
            intern(line.tool), arguments, line.call_id, unparsed, line.step, _extra(line, extra)
        )
    said = {"content": line.content, "error": line.error}
    kept = {"type": PARSE_ERROR} | {key: text for key, text in said.items() if text is not None}
    text = line.content or line.error or ""
    return ToolCall(
        line.tool or "", {}, line.call_id, text, line.step, kept | (_extra(line, extra) or {})
    )


def _result(line: ToolResultLine, extra: Extra) -> Message:
    result, error = line.result, line.error
    extra = _extra(line, extra)
    failed = error if isinstance(error, bool) else None
    if isinstance(error, str) and error:
        failed, extra = True, {"error": error, **(extra or {})}
    text: str | None = result if isinstance(result, str) else None
    if result is None and isinstance(error, str):
        text = error
    structured = None if result is None or isinstance(result, str) else result
    return Message(
        Role.TOOL,
        text if structured is None else as_text(structured),
        tool_call_id=line.call_id,
        name=None if line.tool is None else intern(line.tool),
        failed=failed,
        structured=structured,
        step=line.step,
        left_out=tuple(line.left_out or ()),
        extra=extra,
    )


def _extra(line: AnyLine, extra: Extra) -> Extra:
    """Return what else the line says, None for nothing: also what any kind of line may say."""
    if line.timestamp is None and line.metadata is None and line.tokens is None:
        return extra
    said = {"timestamp": line.timestamp, "metadata": line.metadata, "tokens": line.tokens}
    return {key: value for key, value in said.items() if value is not None} | (extra or {})


def _metadata(line: StartLine | EndLine, extra: Extra) -> JsonObject:
    return (extra or {}) | (line.metadata or {})


def _tokens(lines: Sequence[_Decoded], end: EndLine) -> tuple[int | None, int | None, int | None]:
    """Return the tokens of the prompts, of the answers and of both, as the end or the steps say."""
    answers = [line for line, _ in lines if isinstance(line, AssistantLine)]
    prompt, completion = end.prompt_tokens, end.completion_tokens
    if prompt is None:
        prompt = _sum([line.prompt_tokens for line in answers])
    if completion is None:
        completion = _sum([line.completion_tokens for line in answers])
    total = end.total_tokens
    if total is None:
        total = _sum([line.tokens for line, _ in lines])
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return prompt, completion, total


def _cost(lines: Sequence[_Decoded], end: EndLine) -> float | None:
    cost = end.total_cost if end.cost is None else end.cost
    if cost is not None:
        return cost
    return _sum([line.cost for line, _ in lines if isinstance(line, AssistantLine)])


def _sum(numbers: Sequence[Number | None]) -> Number | None:
    counted = [number for number in numbers if number is not None]
    return sum(counted[1:], counted[0]) if counted else None
