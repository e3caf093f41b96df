"""The folder of one run and the ways its files are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_FINAL,
    METADATA_START,
    METRICS,
    RULES,
    newest,
    numbered,
)
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.rules.model import RuleBundle

REPORT = "reports/run_report.md"
RESUME_VALIDATION = "resume_validation.json"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run below ``path``.

    ``start`` counts the starts of the run: 0 for the first, n for its nth resume, whose own files
    bear that number.
    """

    path: Path
    start: int = 0

    @property
    def report(self) -> Path:
        """Where the report for people stands."""
        return self.path / REPORT

    @property
    def resume_validation(self) -> Path:
        """Where it stands what each resume changed."""
        return self.path / RESUME_VALIDATION

    def append_metrics(self, line: bytes) -> None:
        """Append one line to the metrics file and hand it to the operating system."""
        self._append(METRICS, line)

    def append_insight(self, line: bytes) -> None:
        """Append one line to the insights file and hand it to the operating system."""
        self._append(INSIGHTS, line)

    def mend_metrics(self) -> None:
        """Cut a torn last line off, as a killed run leaves it; the next would be glued to it."""
        with (self.path / METRICS).open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)

    def replace_insights(self, lines: bytes) -> None:
        """Write the insights up to a resume anew, and keep the old file beside it."""
        path = self.path / INSIGHTS
        if path.exists():
            kept = f"{path.stem}.before-resume-{self.start}{path.suffix}"
            path.rename(self.path / kept)
        write_atomically(path, lines)

    def write_metadata_start(self, metadata: dict[str, Any]) -> None:
        """Write what is known before the first step of this start."""
        self._write_json(numbered(METADATA_START, self.start), metadata)

    def write_metadata_final(self, metadata: dict[str, Any]) -> None:
        """Write how the run ended."""
        self._write_json(numbered(METADATA_FINAL, self.start), metadata)

    def write_resume_validation(self, validation: dict[str, Any]) -> None:
        """Write what each resume changed."""
        self._write_json(RESUME_VALIDATION, validation)

    def write_rules(self, bundle: RuleBundle) -> None:
        """Keep the rule files as they are now, numbered in loading order.

        A resume that has the same rules as the start before it adds nothing.
        """
        texts = {
            f"{number:03}-{Path(source.name.rpartition(':')[2]).stem}.yaml": source.text
            for number, source in enumerate(bundle.sources, start=1)
        }
        before = newest(self.path, RULES)
        if {file.name: file.read_bytes() for file in before.glob("*.yaml")} == texts:
            return
        folder = self.path / numbered(RULES, self.start)
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text)

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

    A folder is taken when it holds a run's metrics or start metadata. Raises ``OSError``.
    """
    for path in _family(wanted):
        path.mkdir(parents=True, exist_ok=True)
        if (path / METADATA_START).exists():
            continue
        try:
            # Of two runs that start at the same moment, one gets the file.
            (path / METRICS).touch(exist_ok=False)
        except FileExistsError:
            continue
        # An insights file exists from the start, so that "no insight" is no missing file.
        (path / INSIGHTS).touch()
        return RunDirectory(path)
    raise AssertionError("the family of a folder does not end")


def find_run_directory(wanted: Path, step: int) -> RunDirectory | None:
    """Return the folder of the run that wrote the checkpoint of a step, for its next start.

    That is the newest run which came to that step: its checkpoints have replaced those of earlier
    runs in the same place. None if there is none. Raises ``MetricsFileError`` and ``OSError``.
    """
    found = None
    for path in _family(wanted):
        if not path.exists():
            break
        if _last_step(path) >= step and (path / METADATA_START).exists():
            found = path
    return None if found is None else RunDirectory(found, _starts(found))


def _family(wanted: Path) -> Iterator[Path]:
    yield wanted
    for number in count(2):
        yield wanted.with_name(f"{wanted.name}-{number}")


def _last_step(path: Path) -> int:
    metrics = path / METRICS
    if not metrics.exists():
        return -1
    rows = (entry for entry in read_metrics(metrics) if isinstance(entry, LoggedRow))
    return max((row.step for row in rows), default=-1)


def _starts(path: Path) -> int:
    return next(n for n in count(1) if not (path / numbered(METADATA_START, n)).exists())
