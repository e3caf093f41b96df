"""Reads answers of ToolBench: a search over calls, of which the last path is the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.chat_record import episode_from_messages
from post_training_toolkit.agents.readers.provider_message import MessageError
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat


def recognises(sample: Sample) -> bool:
    """Whether a file holds an answer of ToolBench with its conversations."""
    return any(_is_answer(record) for record in sample.records)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield the longest conversation of each answer; a success is what the file calls a win."""
    for number, record in enumerate(file.records(), start=1):
        if isinstance(record, TraceProblem):
            yield record
            continue
        place = "" if record.line is not None else f"record {number}"
        if not _is_answer(record.value):
            message = "no answer: it needs answer_generation with train_messages"
            yield file.problem(record.line, message, place)
            continue
        answer = record.value["answer_generation"]
        paths = [path for path in answer["train_messages"] if isinstance(path, list)]
        try:
            yield episode_from_messages(
                max(paths, key=len, default=[]),
                {
                    "success": record.value.get("win"),
                    "functions": answer.get("function"),
                    "task": answer.get("query"),
                    "end_reason": answer.get("finish_type"),
                    "usage": {"total_tokens": answer.get("total_tokens")},
                },
                episode_id=file.path.stem if number == 1 else f"{file.path.stem}-{number}",
                source=file.name,
                line=record.line,
            )
        except MessageError as error:
            yield file.problem(record.line, str(error), place)


def _is_answer(record: Any) -> bool:
    answer = record.get("answer_generation") if isinstance(record, Mapping) else None
    return isinstance(answer, Mapping) and isinstance(answer.get("train_messages"), list)


FORMAT = TraceFormat("toolbench", "answers of ToolBench", recognises, read)
