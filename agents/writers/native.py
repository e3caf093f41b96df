"""Writes an episode as the toolkit's own JSON lines."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.json_bytes import json_bytes
from post_training_toolkit.agents.message import JsonObject, Message, Role, ToolCall
from post_training_toolkit.agents.readers.native_line import FIELDS, PARSE_ERROR

# Keys of any line, which a reader keeps among what else is known.
_OF_EVERY_LINE = ("timestamp", "metadata", "tokens")


def native_text(episode: Episode) -> bytes:
    r"""Return the lines of an episode; reading them gives the same episode again.

    >>> from post_training_toolkit.agents.message import Message, Role
    >>> episode = Episode("e1", (Message(Role.USER, "Hi"),), success=True)
    >>> print(native_text(episode).decode(), end="")
    {"episode_id":"e1","step":0,"type":"user_message","content":"Hi"}
    {"episode_id":"e1","step":1,"type":"episode_end","success":true}
    """
    return b"".join(json_bytes(line) + b"\n" for line in native_lines(episode))


def native_lines(episode: Episode) -> Iterator[JsonObject]:
    """Yield the lines of an episode; steps without a number of their own count on from the last."""
    messages = episode.messages
    start = _start(episode)
    # A bare text can stand in the first line; whatever else is known needs a line of its own.
    said = episode.system
    if said is not None and messages[0] == Message(Role.SYSTEM, said):
        start["system"], messages = said, messages[1:]
    if start:
        yield {"episode_id": episode.id, "type": "episode_start", **start}
    step = -1
    before: Role | None = None
    for message in messages:
        # Without a line of its own, an answer would run together with the one before it.
        apart = before is Role.ASSISTANT
        before = message.role
        for own_step, line in _message_lines(message, apart=apart):
            # Numbers never go back: lines are read in their order.
            step = step + 1 if own_step is None or own_step < step else own_step
            yield {"episode_id": episode.id, "step": step, **line}
    if episode.ended:
        end_step = step + 1 if episode.end_step is None else episode.end_step
        yield {"episode_id": episode.id, "step": end_step, "type": "episode_end", **_end(episode)}


def _start(episode: Episode) -> JsonObject:
    return _known(
        {
            "task_id": episode.task,
            "prompt_type": episode.prompt_type,
            "tools": None if episode.tools is None else list(episode.tools),
            "model": episode.model,
            "trial": episode.trial,
            "unread_lines": list(episode.unread_lines) or None,
            "metadata": dict(episode.metadata) or None,
        }
    )


def _end(episode: Episode) -> JsonObject:
    return _known(
        {
            "success": episode.success,
            "reward": episode.reward,
            "prompt_tokens": episode.prompt_tokens,
            "completion_tokens": episode.completion_tokens,
            "total_tokens": episode.total_tokens,
            "cost": episode.cost,
            "end_reason": episode.end_reason,
        }
    )


def _message_lines(message: Message, *, apart: bool) -> Iterator[tuple[int | None, JsonObject]]:
    match message.role:
        case Role.TOOL:
            yield message.step, _result(message)
        case Role.ASSISTANT:
            if apart or _has_line(message):
                yield message.step, _answer(message)
            for call in message.tool_calls:
                yield call.step, _call(call)
        case Role.USER:
            yield message.step, _text("user_message", message)
        case Role.SYSTEM:
            yield message.step, _text("system_message", message)


def _has_line(message: Message) -> bool:
    """Whether an answer says anything besides its calls."""
    return not message.tool_calls or message != Message(Role.ASSISTANT, None, message.tool_calls)


def _text(kind: str, message: Message) -> JsonObject:
    content = message.content if message.structured is None else message.structured
    return {
        "type": kind,
        "content": content,
        **_known({"name": message.name}),
        **_left_out(message),
        **_extra(kind, message.extra),
    }


def _answer(message: Message) -> JsonObject:
    line = _text("assistant_message", message)
    if message.reasoning is not None:
        line["reasoning"] = message.reasoning
    call = message.model_call
    if call is not None:
        line |= _known(
            {
                "prompt_tokens": call.prompt_tokens,
                "completion_tokens": call.completion_tokens,
                "cost": call.cost,
                "finish_reason": call.finish_reason,
            }
        )
    return line


def _call(call: ToolCall) -> JsonObject:
    if call.extra is not None and call.extra.get("type") == PARSE_ERROR:
        # Its text stands among the rest.
        return {**call.extra, **_known({"tool": call.name or None, "call_id": call.id})}
    return {
        "type": "tool_call",
        "tool": call.name,
        "args": call.arguments if call.unparsed is None else call.unparsed,
        **_known({"call_id": call.id}),
        **_extra("tool_call", call.extra),
    }


def _result(message: Message) -> JsonObject:
    result = message.content if message.structured is None else message.structured
    # Where a tool gave nothing but an error, the reader shows that as its answer.
    if message.extra is not None and message.extra.get("error") == result:
        result = None
    return {
        "type": "tool_result",
        **_known({"tool": message.name}),
        "result": result,
        **_known({"call_id": message.tool_call_id, "error": message.failed}),
        **_left_out(message),
        **_extra("tool_result", message.extra),
    }


def _left_out(message: Message) -> JsonObject:
    """Return what was left out, where the content that is written does not show it itself."""
    hidden = message.left_out and message.structured is None
    return {"left_out": list(message.left_out)} if hidden else {}


def _extra(kind: str, extra: JsonObject | None) -> JsonObject:
    """Return what else is known; what would pass for a field of the line goes to its metadata."""
    if extra is None:
        return {}
    said = extra.get("error")
    free = {*_OF_EVERY_LINE, "error"} if isinstance(said, str) else set(_OF_EVERY_LINE)
    taken = {key for key in extra if key in FIELDS[kind] and key not in free}
    if not taken:
        return extra
    metadata = extra.get("metadata")
    return {key: value for key, value in extra.items() if key not in taken} | {
        "metadata": {
            **(metadata if isinstance(metadata, dict) else {}),
            **{key: extra[key] for key in taken},
        }
    }


def _known(fields: JsonObject) -> JsonObject:
    return {key: value for key, value in fields.items() if value is not None}
