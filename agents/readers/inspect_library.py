"""Brings samples of older versions of Inspect into today's form by inspect-ai's own model of them.

Its functions that read one sample of a log look through the whole archive each time, so the archive
is read here, and inspect-ai reads what is in it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.engine.containment import raised_by

_UNUSED = {"store", "timelines"}


def is_installed() -> bool:
    """Whether inspect-ai can be imported."""
    return find_spec("inspect_ai") is not None


def as_inspect_reads(sample: Any) -> JsonObject | None:
    """Return a sample as inspect-ai reads it, None where it refuses it."""
    found: list[JsonObject] = []

    def read() -> None:
        from inspect_ai.log import EvalSample

        # The model changes what it is given.
        read = EvalSample.model_validate(dict(sample))
        found.append(read.model_dump(mode="json", exclude=_UNUSED))

    return found[0] if raised_by(read) is None else None
