"""Runs that die, each in a process forked from one that has loaded the trainer stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where the kernel can be made to run out of memory for one process alone.
OOM_GROUPS = Path("/sys/fs/cgroup/memory")

_HERE = Path(__file__).parent
_MODULES = (_HERE, _HERE.parents[1] / "demo" / "scripts")
_POLL_SECONDS = 0.002


@dataclass(frozen=True)
class EndedRun:
    """What is left of a run: its folder and how its process ended, as ``os.waitpid`` tells it.

    ``milliseconds`` lie between the moment at which it began to die and its first post-mortem.
    """

    output_dir: Path
    status: int
    milliseconds: float | None

    @property
    def run_dir(self) -> Path:
        """Where the toolkit wrote."""
        return self.output_dir / "ptt"

    @property
    def log(self) -> str:
        """What the process wrote to stdout and stderr, and its watcher."""
        return (self.output_dir / "log.txt").read_text()

    def json(self, name: str) -> dict[str, Any]:
        """Return what a file of the run directory holds."""
        found: dict[str, Any] = json.loads((self.run_dir / name).read_text())
        return found

    def await_report(self) -> str:
        """Return the report, which the watcher writes last."""
        report = self.run_dir / "reports" / "run_report.md"
        _await(lambda: report.exists() and (self.run_dir / "run_metadata_final.json").exists(), 60)
        return report.read_text()


class Stage:
    """Trains on demand; close it to end it."""

    def __init__(self) -> None:
        paths = os.pathsep.join([*map(str, _MODULES), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(_HERE / "stage.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def run(
        self, way: str, output_dir: Path, *, kill_after: float | None = None, **options: Any
    ) -> EndedRun:
        """Train until the run has died, or ended.

        ``kill_after`` seconds after the first post-mortem, or after the first sign of the run in
        its folder if it is to die in no way of its own, the process is killed.
        """
        output_dir.mkdir(exist_ok=True)
        wish = {"way": way, "output_dir": str(output_dir), "options": options}
        self._send(json.dumps(wish))
        process_id = self._receive()["process_id"]
        postmortem = output_dir / "ptt" / "postmortem.json"
        begun = output_dir / "ptt" / "run_metadata_start.json"
        seen: float | None = None
        due: float | None = None
        while os.path.exists(f"/proc/{process_id}"):  # noqa: PTH110 - in a tight loop
            now = time.time()
            if seen is None and postmortem.exists():
                seen = now
            first = seen is not None if way else begun.exists()
            if kill_after is not None and first and due is None:
                due = now + kill_after
            if due is not None and now >= due:
                os.kill(process_id, signal.SIGKILL)
                break
            time.sleep(_POLL_SECONDS)
        status = self._receive()["status"]
        moment = output_dir / "moment"
        if seen is None and way and moment.exists():
            _await(postmortem.exists, 2.0)
            seen = postmortem.stat().st_mtime if postmortem.exists() else None
        began = float(moment.read_text()) if moment.exists() else None
        elapsed = None if seen is None or began is None else (seen - began) * 1000
        return EndedRun(output_dir, status, elapsed)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=10)

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _receive(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the stage has ended"
        answer: dict[str, int] = json.loads(line)
        return answer


def _await(happened: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not happened() and time.monotonic() < until:
        time.sleep(0.02)
