"""Finds the JSON Schemas that ship in this folder."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA_NAMES = (
    "agent_analysis",
    "agent_trace",
    "insights_line",
    "metrics_line",
    "postmortem",
    "prompts",
    "resume_validation",
    "rule_tests",
    "rules",
    "run_comparison",
    "run_metadata_final",
    "run_metadata_start",
    "snapshot",
    "snapshot_diff",
)


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one file format; treat it as read-only.

    Raises ``KeyError`` for a name that is not in ``SCHEMA_NAMES``.

    >>> load_schema("rules")["title"]
    'Post-Training Toolkit rules, version 1'
    """
    if name not in SCHEMA_NAMES:
        raise KeyError(f"no schema named {name!r}; there are {', '.join(SCHEMA_NAMES)}")
    resource = files("post_training_toolkit.schemas") / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return schema
