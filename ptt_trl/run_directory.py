"""The folder of one run and the ways its files are written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_FINAL,
    METADATA_START,
    METRICS,
    RULES,
)
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.rules.model import RuleBundle

REPORT = "reports/run_report.md"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run below ``path``."""

    path: Path

    @property
    def report(self) -> Path:
        """Where the report for people stands."""
        return self.path / REPORT

    def append_metrics(self, line: bytes) -> None:
        """Append one line to the metrics file and hand it to the operating system."""
        self._append(METRICS, line)

    def append_insight(self, line: bytes) -> None:
        """Append one line to the insights file and hand it to the operating system."""
        self._append(INSIGHTS, line)

    def write_metadata_start(self, metadata: dict[str, Any]) -> None:
        """Write what is known before the first step."""
        self._write_json(METADATA_START, metadata)

    def write_metadata_final(self, metadata: dict[str, Any]) -> None:
        """Write how the run ended."""
        self._write_json(METADATA_FINAL, metadata)

    def write_rules(self, bundle: RuleBundle) -> None:
        """Keep the rule files as they are now, numbered in loading order."""
        folder = self.path / RULES
        folder.mkdir(exist_ok=True)
        for number, source in enumerate(bundle.sources, start=1):
            stem = Path(source.name.rpartition(":")[2]).stem
            write_atomically(folder / f"{number:03}-{stem}.yaml", source.text)

    def write_report(self, text: str) -> None:
        """Write the report for people."""
        self.report.parent.mkdir(exist_ok=True)
        write_atomically(self.report, text.encode())

    def _append(self, name: str, line: bytes) -> None:
        # Opened for each line: one log is seconds of training, and a folder that is moved away or
        # a full disk then costs a line, not the rest of the file.
        with (self.path / name).open("ab", buffering=0) as file:
            before = file.tell()
            written = file.write(line)
            if written != len(line):
                # A torn line would swallow the next one.
                file.truncate(before)
                raise OSError(f"only {written} of {len(line)} bytes could be written to {name}")

    def _write_json(self, name: str, data: dict[str, Any]) -> None:
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        write_atomically(self.path / name, orjson.dumps(data, option=options))


def claim_run_directory(wanted: Path) -> RunDirectory:
    """Make the folder for a fresh run: the wanted one, or the next free ``-2``, ``-3``, ...

    A folder is taken when it holds a run's start metadata. Raises ``OSError``.
    """
    for number in count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not (path / METADATA_START).exists():
            path.mkdir(parents=True, exist_ok=True)
            # An insights file exists from the start, so that "no insight" is no missing file.
            (path / INSIGHTS).touch()
            return RunDirectory(path)
    raise AssertionError("count() does not end")
