"""Reads the failed runs of several agents of Who & When, which say who erred when.

Zhang et al. (2025), "Which Agent Causes Task Failures and When?", arXiv:2505.00212.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import flatten_content
from post_training_toolkit.agents.readers.records import Record, TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

_LABELS = ("mistake_agent", "mistake_step", "mistake_reason", "mistake_type")
_TERMINAL = re.compile(r"computer_?terminal", re.IGNORECASE)
_EXIT_CODE = re.compile(r"\s*(?:exitcode|exit code|the script exited with code)\W*(\d+)", re.I)
_PERSON = ("human",)


def recognises(sample: Sample) -> bool:
    """Whether a file holds a history with a labelled mistake."""
    return any(_is_run(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield each run; a message's step is its place in the history, as ``mistake_step`` counts.

    What any agent says is said by the assistant, under its name: the role ``user`` of these
    histories is only that of whoever spoke to the next agent. What a terminal printed is the answer
    of a tool, failed if its exit code says so. Where nobody has put the question, it stands first,
    without a step.
    """
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
        elif _is_run(record.value):
            yield _run(file, record, number)
        else:
            message = "no run: it needs history and mistake_step"
            yield file.problem(record.line, message, f"record {number}")


def _run(file: TraceFile, record: Record, number: int) -> Episode | TraceProblem:
    run: Mapping[str, Any] = record.value
    messages: list[Message] = []
    for step, said in enumerate(run["history"]):
        if not isinstance(said, Mapping) or not isinstance(said.get("role"), str):
            return file.problem(record.line, f"message {step} has no role", f"record {number}")
        messages.append(_message(said, step))
    question = run.get("question")
    if isinstance(question, str) and not any(each.role is Role.USER for each in messages):
        messages.insert(0, Message(Role.USER, question))
    judged = run.get("is_correct", run.get("is_corrected"))
    labels: JsonObject = {key: run[key] for key in _LABELS if key in run}
    if str(labels.get("mistake_step")).strip().isdigit():
        labels["mistake_step"] = int(labels["mistake_step"])
    others = ("level", "ground_truth", "system_prompt")
    task = run.get("question_ID", run.get("question_id"))
    return Episode(
        id=file.path.stem if number == 1 else f"{file.path.stem}-{number}",
        messages=tuple(messages),
        task=None if task is None else str(task),
        success=judged if isinstance(judged, bool) else None,
        metadata=labels | {key: run[key] for key in others if key in run},
        source=file.name,
        line=record.line,
    )


def _message(said: Mapping[str, Any], step: int) -> Message:
    text, left_out = flatten_content(said.get("content"))
    role = said["role"]
    name = said.get("name")
    speaker = name if isinstance(name, str) else role
    if _TERMINAL.fullmatch(speaker):
        code = _EXIT_CODE.match(text or "")
        failed = None if code is None else int(code[1]) != 0
        return Message(Role.TOOL, text, name=speaker, failed=failed, step=step, left_out=left_out)
    if role in _PERSON or (role == "user" and name is None):
        return Message(Role.USER, text, step=step, left_out=left_out)
    speaks_as = None if speaker in ("assistant", "user") else speaker
    return Message(Role.ASSISTANT, text, name=speaks_as, step=step, left_out=left_out)


def _is_run(record: Any) -> bool:
    return (
        isinstance(record, Mapping)
        and isinstance(record.get("history"), list)
        and "mistake_step" in record
    )


FORMAT = TraceFormat("who-and-when", "labelled failures of Who & When", recognises, read)
