"""The names of the files in a run directory."""

from __future__ import annotations

# Where a run directory stands inside the trainer's output_dir unless the user chose another place.
DEFAULT_FOLDER = "ptt"

METADATA_START = "run_metadata_start.json"
METADATA_FINAL = "run_metadata_final.json"
METRICS = "metrics.jsonl"
INSIGHTS = "insights.jsonl"
RULES = "rules"
