"""Reads a tracker's history as JSON lines: one flat object of metrics a line.

``json.dumps(row)`` for each row of W&B's ``run.scan_history()`` gives such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.json_text import parse_json
from post_training_toolkit.engine.readers.recording import Recording, RecordingError
from post_training_toolkit.engine.readers.tracker_row import (
    STEP_NAMES,
    StepFinder,
    step_name,
    tracker_row,
    with_end,
)
from post_training_toolkit.engine.run import RunDescription


def read_history(path: Path) -> Recording:
    """Read a history; a torn last line ends it. The entries raise ``RecordingError``."""
    return Recording(with_end(_rows(path)), RunDescription())


def _rows(path: Path) -> Iterator[LoggedRow]:
    steps = StepFinder()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                logged = parse_json(line)
                if not isinstance(logged, dict) or step_name(logged) is None:
                    raise ValueError(f"expected an object with one of {', '.join(STEP_NAMES)}")
                counter = logged.get("_step", logged.get("Step"))
                # A history exports what a row did not log as null.
                kept = {name: value for name, value in logged.items() if value is not None}
                row = tracker_row(steps.find(logged, counter), kept)
            except ValueError as error:
                if not line.endswith(b"\n"):
                    return
                raise RecordingError(f"{path}:{number}: no history line; {error}") from None
            if row is not None:
                yield row
