"""Reads the completions that GRPO and RLOO of TRL write down with ``log_completions``."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import JsonObject, Message, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.content import as_text
from post_training_toolkit.agents.readers.provider_message import read_messages
from post_training_toolkit.agents.readers.records import TraceFile
from post_training_toolkit.agents.readers.trace_format import Sample, TraceFormat

if TYPE_CHECKING:
    import pyarrow.parquet

_PARQUET = b"PAR1"
_NO_REWARDS = ("step", "advantage")
_HEX_DIGITS = 12
_ROWS = 256


def recognises(sample: Sample) -> bool:
    """Whether it is a Parquet file with prompts, completions and advantages."""
    if not sample.head.startswith(_PARQUET):
        return False
    import pyarrow.parquet

    names = pyarrow.parquet.read_schema(sample.path).names
    return {"step", "prompt", "completion", "advantage"} <= set(names)


def read(file: TraceFile) -> Iterator[Episode | TraceProblem]:
    """Yield each completion as an episode; the completions of one prompt are its trials.

    The reward is the sum of the columns of numbers beside step and advantage, which are those of
    the reward functions, each with the weight 1 that TRL gives by default; ``metadata`` has each
    of them, step and advantage. Nobody says whether a completion was a success.

    Parquet gives all arguments of a column the same keys, so that an argument that is null cannot
    be told from one that was not given: both are left out.
    """
    import pyarrow.parquet

    trials: Counter[str] = Counter()
    with pyarrow.parquet.ParquetFile(file.path) as table:
        for number, row in enumerate(_rows(table), start=1):
            try:
                yield _episode(row, file, number, trials)
            except ValueError as error:
                yield file.problem(None, str(error), f"row {number}")


def _rows(table: pyarrow.parquet.ParquetFile) -> Iterator[JsonObject]:
    for batch in table.iter_batches(batch_size=_ROWS):
        yield from batch.to_pylist()


def _episode(row: JsonObject, file: TraceFile, number: int, trials: Counter[str]) -> Episode:
    prompt, completion = (
        _messages(row["prompt"], Role.USER),
        _messages(row["completion"], Role.ASSISTANT),
    )
    task = hashlib.sha256(repr(prompt).encode("utf-8", "replace")).hexdigest()[:_HEX_DIGITS]
    trials[task] += 1
    numbers = {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, float) and math.isfinite(value) and name not in _NO_REWARDS
    }
    known = {name: row[name] for name in _NO_REWARDS if row.get(name) is not None}
    return Episode(
        id=f"step-{row.get('step')}-{number}",
        messages=(*prompt, *completion),
        task=task,
        trial=trials[task],
        reward=sum(numbers.values()) if numbers else None,
        metadata={**known, "rewards": numbers},
        source=file.name,
        line=number,
    )


def _messages(content: Any, role: Role) -> tuple[Message, ...]:
    """Return messages, or a text as the one message of a role."""
    if isinstance(content, list):
        return read_messages(_without_nulls(content))
    return (Message(role, as_text(content)),)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


FORMAT = TraceFormat(
    "trl-rollouts", "completions that GRPO wrote with log_completions", recognises, read
)
