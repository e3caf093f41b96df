"""One run being watched: from the first step to the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFired, episodes
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl import provenance
from post_training_toolkit.ptt_trl.checkpoints import last_checkpoint_before, weights_are_finite
from post_training_toolkit.ptt_trl.console import Console
from post_training_toolkit.ptt_trl.report import render_report
from post_training_toolkit.ptt_trl.run_directory import RunDirectory
from post_training_toolkit.ptt_trl.stop import StopDecision, StopPolicy, describe_stop
from post_training_toolkit.rules.model import RuleBundle


class RunSession:
    """Watches one run on rank 0: writes its files, asks the engine, tells the user.

    Every part runs in ``containment`` by itself, the metrics line first, so that a failure of one
    loses nothing of the others.
    """

    def __init__(
        self,
        *,
        directory: RunDirectory,
        bundle: RuleBundle,
        run: RunDescription,
        output_dir: Path,
        stop_policy: StopPolicy | None,
        containment: Containment,
    ) -> None:
        self._directory = directory
        self._bundle = bundle
        self._run = run
        self._output_dir = output_dir
        self._stop_policy = stop_policy
        self._containment = containment
        self._engine = Engine(bundle.rules, run, containment)
        self._console = Console()
        self._events: list[Event] = []
        self._rows = 0
        self._stopped_by: InsightFired | None = None
        self._saved_at: int | None = None
        self._weights_finite: bool | None = None

    def begin(self, step: int, model: torch.nn.Module | None, tokenizer: object) -> None:
        """Write what is known before the first step and greet the user."""
        run, contain = self._run, self._containment.run
        contain("rules folder", self._directory.write_rules, self._bundle)
        metadata = {
            "version": 1,
            "trainer": run.trainer,
            "configuration": dict(run.configuration),
            "max_steps": run.max_steps,
            "logging_steps": run.logging_steps,
            "started_at": _now(),
            "configuration_sha256": contain(
                "configuration hash", provenance.configuration_hash, run.configuration
            ),
            "rules": [source.name for source in self._bundle.sources],
            "stop_on": self._stop_policy.severity if self._stop_policy else None,
            "packages": contain("package versions", provenance.package_versions),
            "git": contain("git state", provenance.git_state),
            "hardware": contain("hardware", provenance.hardware),
            "model": contain("model identity", provenance.model_identity, model),
            "tokenizer": type(tokenizer).__name__ if tokenizer is not None else None,
        }
        contain("start metadata", self._directory.write_metadata_start, metadata)
        self._write_metrics(Milestone("train_begin", step, run.max_steps, time.time()))
        contain("console", self._console.tell, self._greeting())

    def log(
        self,
        step: int,
        epoch: float | None,
        logs: Mapping[str, Any],
        model: torch.nn.Module | None,
    ) -> StopDecision:
        """Take one logged row in; return whether training goes on."""
        row = admit(logs)
        self._rows += 1
        self._write_metrics(LoggedRow(step, epoch, row, time.time()))
        events = self._containment.run("engine", self._engine.observe, step, row) or ()
        self._tell(events)
        if self._stop_policy is None or self._stopped_by is not None:
            return StopDecision.CONTINUE
        self._stopped_by = self._stop_policy.choose(events)
        return self._stop(model) if self._stopped_by else StopDecision.CONTINUE

    def note_checkpoint(self, step: int) -> None:
        """Remember that the trainer saved a checkpoint."""
        if self._stopped_by is not None:
            self._saved_at = step

    def end(self, step: int) -> None:
        """Close open episodes, write the final metadata and the report, and say where it is."""
        contain = self._containment.run
        self._write_metrics(Milestone("train_end", step, time=time.time()))
        self._tell(contain("engine", self._engine.finish, step) or ())
        contain("final metadata", self._write_final_metadata, step)
        contain("report", self._write_report)
        contain("console", self._console.tell, self._farewell(step))

    def _tell(self, events: tuple[Event, ...]) -> None:
        self._events += events
        for event in events:
            self._containment.run("insights file", self._append_insight, event)
            self._containment.run("console", self._console.show, event)

    def _write_metrics(self, entry: MetricsEntry) -> None:
        self._containment.run("metrics file", self._append_metrics, entry)

    # The lines are made inside containment too, not as its arguments.
    def _append_metrics(self, entry: MetricsEntry) -> None:
        self._directory.append_metrics(metrics_line(entry))

    def _append_insight(self, event: Event) -> None:
        self._directory.append_insight(insight_line(event))

    def _stop(self, model: torch.nn.Module | None) -> StopDecision:
        finite = model is None or self._containment.run("weights check", weights_are_finite, model)
        # An unanswered check counts as finite: a checkpoint too many does no harm.
        self._weights_finite = finite is not False
        if self._weights_finite:
            return StopDecision.SAVE_AND_STOP
        return StopDecision.STOP_WITHOUT_SAVING

    def _write_final_metadata(self, step: int) -> None:
        found = episodes(self._events)
        metadata = {
            "version": 1,
            "status": "stopped" if self._stopped_by else "completed",
            "last_step": step,
            "max_steps": self._run.max_steps,
            "logged_rows": self._rows,
            "ended_at": _now(),
            "stop": self._stop_outcome(step),
            "insights": [
                {
                    "insight": episode.fired.insight,
                    "severity": episode.fired.severity,
                    "ongoing": episode.ongoing,
                }
                for episode in found
            ],
            "not_run": [asdict(each) for each in self._engine.coverage()],
            "failures": [asdict(each) for each in self._containment.failures.values()],
        }
        self._directory.write_metadata_final(metadata)

    def _stop_outcome(self, step: int) -> dict[str, Any] | None:
        """Say by what the run was stopped, whether its state was saved, and where it was good."""
        by = self._stopped_by
        if by is None:
            return None
        # A row covers the steps since the log before it, so the trouble may be that much older.
        begin = by.first_step - (self._run.logging_steps or 1) + 1
        good = last_checkpoint_before(self._output_dir, begin)
        saved = self._output_dir / f"checkpoint-{self._saved_at}" if self._saved_at else None
        return {
            "insight": by.insight,
            "rule": by.rule,
            "severity": by.severity,
            "message": by.message,
            "fired_at_step": by.step,
            "ended_at_step": step,
            "weights_finite": self._weights_finite,
            "saved_checkpoint": str(saved) if saved else None,
            "last_good_checkpoint": str(good) if good else None,
        }

    def _write_report(self) -> None:
        self._directory.write_report(render_report(self._directory.path))

    def _farewell(self, step: int) -> str:
        report = f"report: {self._directory.report}"
        outcome = self._stop_outcome(step)
        if outcome is None:
            return f"{_summary(self._events)}; {report}"
        return f"{describe_stop(outcome)} {report}"

    def _greeting(self) -> str:
        files = f"files in {self._directory.path}"
        if self._run.trainer is None:
            note = "its trainer is not known, so only the rules for every trainer apply"
            return f"watching this run; {note}; {files}"
        return f"watching this {self._run.trainer.upper()} run; {files}"


def _summary(events: list[Event]) -> str:
    fired = [event for event in events if isinstance(event, InsightFired)]
    if not fired:
        return "no insights"
    worst = max((event.severity for event in fired), key=lambda severity: severity.rank)
    return f"{len(fired)} insight{'' if len(fired) == 1 else 's'}, the worst of severity {worst}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
