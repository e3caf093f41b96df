"""Reads a description of a run from the arguments of its trainer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from post_training_toolkit.engine.run import RunDescription


def run_from_arguments(arguments: Mapping[str, Any]) -> RunDescription:
    """Return what trainer arguments say; a length or interval that they leave open is None.

    transformers writes ``max_steps: -1`` for a length in epochs and allows ``logging_steps`` below
    1 as a share of the length.

    >>> run = run_from_arguments({"max_steps": 200, "logging_steps": 0.05})
    >>> run.max_steps, run.logging_steps
    (200, 10)
    """
    max_steps = _positive(arguments.get("max_steps"))
    run = RunDescription(None, dict(arguments), None if max_steps is None else int(max_steps))
    interval = _positive(arguments.get("logging_steps"))
    if interval is None or arguments.get("logging_strategy", "steps") != "steps":
        return run
    if interval < 1:
        if run.max_steps is None:
            return run
        interval *= run.max_steps
    return replace(run, logging_steps=math.ceil(interval))


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) and value > 0 else None
