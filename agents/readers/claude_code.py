"""Reads sessions of Claude Code (``~/.claude/projects/*/*.jsonl``).

An episode is what the model had before it: a session is split where the user cleared it and where
its history was summed up, and each subagent (a sidechain) is an episode of its own. Of several
branches, which edited prompts open, the last one is read; how many messages lie on others is told
by ``abandoned_messages`` in the metadata. Lines that are no messages, such as progress and
snapshots of files, are counted there by their type. The tools on offer and the instructions of the
system are not in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.anthropic_message import read_anthropic_message
from post_training_toolkit.agents.readers.claude_code_tree import Line, branches
from post_training_toolkit.agents.readers.otel_genai import number
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_MESSAGES = ("user", "assistant")
_OTHER_LINES = ("summary", "system", "attachment", "progress", "file-history-snapshot")
_ABOUT_SESSION = ("cwd", "gitBranch", "version", "slug", "agentId")
_CLEAR = "<command-name>/clear</command-name>"
# What the program writes in the user's name: a command and what it printed.
_COMMANDS = ("<command-name>", "<command-message>", "<local-command-")
# The model of what the program writes in the model's name, such as an error of the network.
_SYNTHETIC = "<synthetic>"


def recognises(sample: Sample) -> bool:
    """Whether one of the first lines is a message of a session, or all are notes in one."""
    objects = [record for record in sample.records if isinstance(record, Mapping)]
    if sample.is_list or not objects:
        return False
    return any(map(_is_session_line, objects)) or all(map(_is_note, objects))


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the conversations of a session; a file is read as a whole, as its lines form a tree."""
    sessions: dict[str | None, list[Line]] = {}
    unread: dict[str | None, list[int]] = {}
    session: str | None = None
    for record in file.records():
        if isinstance(record, TraceProblem):
            yield record
            continue
        problem = _wrong_with(record.value)
        value = record.value if isinstance(record.value, Mapping) else {}
        named = value.get("sessionId")
        session = named if isinstance(named, str) else session
        if problem is None:
            sessions.setdefault(session, []).append(Line(record.value, record.line))
        else:
            yield file.problem(record.line, problem)
            unread.setdefault(session, []).append(record.line or 0)
    before = sessions.pop(None, []) if len(sessions) > 1 else []
    for session, lines in sessions.items():
        lines[:0], before = before, []
        yield from _session(file, session, lines, tuple(unread.get(session, ())))


FORMAT = TraceFormat(
    name="claude-code",
    title="sessions of Claude Code",
    recognises=recognises,
    read=read,
)


def _is_session_line(value: Mapping[str, Any]) -> bool:
    message = value.get("message")
    return (
        value.get("type") in _MESSAGES
        and isinstance(message, Mapping)
        and message.get("role") in _MESSAGES
        and "uuid" in value
        and bool({"sessionId", "parentUuid", "timestamp"} & set(value))
    )


def _is_note(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    noted = isinstance(value.get("sessionId"), str) or isinstance(value.get("leafUuid"), str)
    return isinstance(kind, str) and (noted or kind == "file-history-snapshot")


def _wrong_with(value: Any) -> str | None:
    """Return why a line cannot be read, None where it can."""
    if not isinstance(value, Mapping):
        return "a line is an object"
    kind = value.get("type")
    if not isinstance(kind, str):
        return "a line without a type"
    if kind not in _MESSAGES:
        if kind not in _OTHER_LINES and isinstance(value.get("message"), Mapping):
            return f"no type {kind!r} of a message; there are {', '.join(_MESSAGES)}"
        return None
    try:
        read_anthropic_message(value.get("message"))
    except MessageError as error:
        return str(error)
    return None


def _session(
    file: TraceFile, session: str | None, lines: list[Line], unread: tuple[int, ...]
) -> Iterator[Episode]:
    name = session or file.path.name.partition(".")[0]
    others = Counter(str(line.value["type"]) for line in lines if not line.is_message)
    main, side = 0, 0
    for branch in branches(_once(lines)):
        parts = _parts(branch.lines)
        for at, (part, reason) in enumerate(parts, start=1):
            if not _says_something(part):
                continue
            if part[0].value.get("isSidechain") is True:
                side += 1
                number_in_session = f"{name}/{_agent(part) or f'agent-{side}'}"
            else:
                main += 1
                number_in_session = name if main == 1 else f"{name}/{main}"
            if branch.compacted and at == len(parts):
                reason = "compact_boundary"
            metadata: JsonObject = {"session": session} if session else {}
            if at == len(parts) and branch.abandoned:
                metadata["abandoned_messages"] = branch.abandoned
            if main + side == 1 and others:
                metadata["other_lines"] = dict(others)
            yield _episode(file, number_in_session, part, reason, metadata, unread)


def _once(lines: Iterable[Line]) -> list[Line]:
    """Return lines without those that a resumed session repeats."""
    seen: dict[str, Any] = {}
    kept = []
    for line in lines:
        uuid = line.value.get("uuid")
        if isinstance(uuid, str) and uuid in seen and seen[uuid] == line.value.get("message"):
            continue
        if isinstance(uuid, str):
            seen[uuid] = line.value.get("message")
        kept.append(line)
    return kept


def _parts(lines: Sequence[Line]) -> list[tuple[list[Line], str | None]]:
    """Return the parts of a conversation that the model had before it, and why each ended."""
    parts: list[tuple[list[Line], str | None]] = []
    part: list[Line] = []
    for line in lines:
        if line.value.get("isCompactSummary") is True and part:
            parts.append((part, "compact_boundary"))
            part = []
        if _CLEAR in _text(line) and line.value.get("type") == "user":
            parts.append((part, "/clear"))
            part = []
        else:
            part.append(line)
    return [*((each, why) for each, why in parts if each), *([(part, None)] if part else [])]


def _text(line: Line) -> str:
    content = line.message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in line.blocks)


def _says_something(lines: Sequence[Line]) -> bool:
    """Whether the model spoke or the user asked, beyond what the program wrote down itself."""
    return any(
        line.value.get("type") == "assistant"
        or not (line.value.get("isMeta") is True or _text(line).startswith(_COMMANDS))
        for line in lines
        if line.is_message and line.message.get("model") != _SYNTHETIC
    )


def _agent(lines: Sequence[Line]) -> str | None:
    agent = lines[0].value.get("agentId")
    return agent if isinstance(agent, str) else None


def _episode(
    file: TraceFile,
    name: str,
    lines: Sequence[Line],
    reason: str | None,
    metadata: JsonObject,
    unread: tuple[int, ...],
) -> Episode:
    written = [line for line in lines if line.message.get("model") == _SYNTHETIC]
    said = [line for line in lines if line.is_message and line not in written]
    messages = _messages(said)
    calls = [each.model_call for each in messages if each.model_call is not None]
    last = messages[-1] if messages else None
    whole = last is not None and last.role is Role.ASSISTANT and not last.tool_calls
    first = lines[0].value
    about = {key: first[key] for key in _ABOUT_SESSION if first.get(key) is not None}
    if written:
        metadata["written_by_program"] = [_text(line) for line in written]
        if lines[-1] is written[-1]:
            reason, whole = reason or _text(written[-1]), False
    models = (line.message.get("model") for line in said)
    return Episode(
        id=name,
        messages=tuple(messages),
        model=next((model for model in models if isinstance(model, str)), None),
        prompt_tokens=_total(calls, "prompt_tokens"),
        completion_tokens=_total(calls, "completion_tokens"),
        cost=_total(calls, "cost"),
        end_reason=reason or (last.model_call.finish_reason if last and last.model_call else None),
        ended=whole and reason != "compact_boundary",
        metadata={
            **about,
            **({"sidechain": True} if first.get("isSidechain") is True else {}),
            **metadata,
        },
        unread_lines=unread,
        source=file.name,
        line=lines[0].number,
    )


def _messages(lines: Iterable[Line]) -> list[Message]:
    """Return the messages of lines; an answer that is spread over several is one."""
    answers: dict[str, list[Line]] = {}
    order: list[list[Line]] = []
    for line in lines:
        answer = line.message.get("id") if line.value.get("type") == "assistant" else None
        if isinstance(answer, str) and answer in answers:
            answers[answer].append(line)
            continue
        order.append([line])
        if isinstance(answer, str):
            answers[answer] = order[-1]
    return [message for each in order for message in _message(each)]


def _message(lines: Sequence[Line]) -> list[Message]:
    first, last = lines[0], lines[-1]
    if len(lines) == 1:
        found = read_anthropic_message(first.message)
    else:
        # The usage grows while an answer is written, so the last line has all of it.
        found = read_anthropic_message({**last.message, "content": _joined(lines)})
    costs = [cost for line in lines if (cost := number(line.value, "costUSD")) is not None]
    extra = {"isMeta": True} if first.value.get("isMeta") is True else None
    return [
        replace(
            message,
            model_call=replace(message.model_call or ModelCall(), cost=sum(costs))
            if costs and message.role is Role.ASSISTANT
            else message.model_call,
            extra=extra,
        )
        for message in found
    ]


def _joined(lines: Sequence[Line]) -> list[Any]:
    """Return the blocks of an answer; a call that a later line repeats is there once."""
    blocks: list[Any] = []
    for line in lines:
        content = line.message.get("content")
        new = [{"type": "text", "text": content}] if isinstance(content, str) else content
        blocks += [block for block in new or [] if block not in blocks]
    return blocks


def _total(calls: Iterable[ModelCall], field: str) -> Any:
    counted = [found for call in calls if (found := getattr(call, field)) is not None]
    return sum(counted) if counted else None
