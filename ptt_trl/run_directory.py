"""The folder of one run and the ways its files are written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    POSTMORTEM,
    RULES,
    newest,
    numbered,
)
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.line_file import LineFile
from post_training_toolkit.ptt_trl.postmortem.heartbeat import RunInUseError, is_alive
from post_training_toolkit.rules.model import RuleBundle

REPORT = "reports/run_report.md"
RESUME_VALIDATION = "resume_validation.json"
# What the watcher of a run that was killed may still have to write.
WAIT_SECONDS = 20.0
_BLOCK_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of one run below ``path``.

    ``start`` counts the starts of the run: 0 for the first, n for its nth resume, whose own files
    bear that number.
    """

    path: Path
    start: int = 0
    _metrics: LineFile = field(init=False, compare=False, repr=False)
    _insights: LineFile = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make the two files that grow known."""
        object.__setattr__(self, "_metrics", LineFile(self.path / METRICS))
        object.__setattr__(self, "_insights", LineFile(self.path / INSIGHTS))

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
        self._metrics.append(line)

    def append_insight(self, line: bytes) -> None:
        """Append one line to the insights file and hand it to the operating system."""
        self._insights.append(line)

    def mend_metrics(self) -> None:
        """Cut a torn last line off, as a killed run leaves it; the next would be glued to it."""
        with (self.path / METRICS).open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            torn = b""
            # The file may be large, and a line is not.
            while end and b"\n" not in torn:
                start = max(end - _BLOCK_BYTES, 0)
                file.seek(start)
                torn = file.read(end - start)
                end = start
            file.truncate(end + torn.rfind(b"\n") + 1)

    def replace_insights(self, lines: bytes) -> None:
        """Write the insights up to a resume anew, and keep the old file beside it."""
        path = self.path / INSIGHTS
        if path.exists():
            kept = f"{path.stem}.before-resume-{self.start}{path.suffix}"
            path.rename(self.path / kept)
        write_atomically(path, lines)

    @property
    def postmortem(self) -> Path:
        """Where it stands how the run died, if it did."""
        return self.path / POSTMORTEM

    @property
    def metadata_start(self) -> Path:
        """Where it stands what was known before the first step of this start."""
        return self.path / numbered(METADATA_START, self.start)

    @property
    def metadata_final(self) -> Path:
        """Where it stands how this start ended."""
        return self.path / numbered(METADATA_FINAL, self.start)

    def write_metadata_start(self, metadata: dict[str, Any]) -> None:
        """Write what is known before the first step; raises ``FileExistsError`` the second time."""
        self._write_once(self.metadata_start, metadata)

    def write_metadata_final(self, metadata: dict[str, Any]) -> None:
        """Write how the run ended; raises ``FileExistsError`` the second time."""
        self._write_once(self.metadata_final, metadata)

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

    def set_postmortem_aside(self) -> None:
        """Keep the post-mortem of the start before this one under a name of its own."""
        path = self.postmortem
        if path.exists():
            path.rename(self.path / f"{path.stem}.before-resume-{self.start}{path.suffix}")

    def remove_postmortem(self) -> None:
        """Take back what was written of a death that did not come."""
        self.postmortem.unlink(missing_ok=True)

    def _write_once(self, path: Path, metadata: dict[str, Any]) -> None:
        if path.exists():
            raise FileExistsError(f"{path} is there already, and is never changed")
        self._write_json(path.name, metadata)

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
    runs in the same place. None if there is none. Raises ``RunInUseError`` if another process goes
    on in it, ``MetricsFileError`` and ``OSError``.
    """
    found = None
    for path in _family(wanted):
        if not path.exists():
            break
        if _last_step(path) >= step and (path / METADATA_START).exists():
            found = path
    if found is None:
        return None
    _await_free(found)
    return RunDirectory(found, _starts(found))


def _family(wanted: Path) -> Iterator[Path]:
    yield wanted
    for number in count(2):
        yield wanted.with_name(f"{wanted.name}-{number}")


def _await_free(path: Path) -> None:
    """Wait for the report of a run that has just died, but not for a run that goes on."""
    until = time.monotonic() + WAIT_SECONDS
    while is_alive(path):
        if time.monotonic() > until:
            raise RunInUseError(f"another process that is alive writes to {path}")
        time.sleep(0.1)


def _last_step(path: Path) -> int:
    metrics = path / METRICS
    if not metrics.exists():
        return -1
    rows = (entry for entry in read_metrics(metrics) if isinstance(entry, LoggedRow))
    return max((row.step for row in rows), default=-1)


def newest_start(path: Path) -> int:
    """Return the number of the newest start of the run in a folder."""
    return _starts(path) - 1


def _starts(path: Path) -> int:
    return next(n for n in count(1) if not (path / numbered(METADATA_START, n)).exists())
