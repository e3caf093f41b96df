"""The names of the files in a run directory that decide its insights."""

from __future__ import annotations

METADATA_START = "run_metadata_start.json"
METADATA_FINAL = "run_metadata_final.json"
METRICS = "metrics.jsonl"
INSIGHTS = "insights.jsonl"
RULES = "rules"
