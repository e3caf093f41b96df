"""The names of the files in a run directory, and those that a resumed run adds."""

from __future__ import annotations

import re
from pathlib import Path

# Where a run directory stands inside the trainer's output_dir unless the user chose another place.
DEFAULT_FOLDER = "ptt"

METADATA_START = "run_metadata_start.json"
METADATA_FINAL = "run_metadata_final.json"
METRICS = "metrics.jsonl"
INSIGHTS = "insights.jsonl"
POSTMORTEM = "postmortem.json"
RULES = "rules"


def numbered(name: str, number: int) -> str:
    """Return the name that a file has for the resume of that number; 0 is the first start.

    >>> numbered("run_metadata_start.json", 0), numbered("run_metadata_start.json", 2)
    ('run_metadata_start.json', 'run_metadata_start.2.json')
    """
    path = Path(name)
    return f"{path.stem}.{number}{path.suffix}" if number else name


def newest(folder: Path, name: str) -> Path:
    """Return the file with the highest number, or where the unnumbered one would be."""
    path = Path(name)
    pattern = re.compile(rf"{re.escape(path.stem)}\.(\d+){re.escape(path.suffix)}")
    matches = (pattern.fullmatch(each.name) for each in folder.glob(f"{path.stem}.*"))
    numbers = [int(match[1]) for match in matches if match]
    return folder / numbered(name, max(numbers, default=0))
