"""One run being watched: from the first step to the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import (
    Event,
    InsightEscalated,
    InsightFired,
    episodes,
)
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints, weights_are_finite
from post_training_toolkit.ptt_trl.console import Console
from post_training_toolkit.ptt_trl.metadata import final_metadata, start_metadata
from post_training_toolkit.ptt_trl.report import render_report
from post_training_toolkit.ptt_trl.run_directory import RunDirectory
from post_training_toolkit.ptt_trl.stop import StopDecision, StopOutcome, StopPolicy
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
        checkpoints: Checkpoints,
        stop_policy: StopPolicy | None,
        containment: Containment,
    ) -> None:
        self._directory = directory
        self._bundle = bundle
        self._run = run
        self._checkpoints = checkpoints
        self._stop_policy = stop_policy
        self._containment = containment
        self._engine = Engine(bundle.rules, run, containment)
        self._console = Console()
        self._events: list[Event] = []
        self._logged_rows = 0
        self._stopped_by: InsightFired | InsightEscalated | None = None
        self._weights_finite = True
        self._saved_at: int | None = None

    def begin(self, step: int, model: torch.nn.Module | None, tokenizer: object) -> None:
        """Write what is known before the first step and greet the user."""
        contain = self._containment.run
        contain("rules folder", self._directory.write_rules, self._bundle)
        contain("start metadata", self._write_start_metadata, model, tokenizer)
        self._keep(Milestone("train_begin", step, self._run.max_steps, time.time()))
        contain("console", self._greet)

    def log(
        self,
        step: int,
        epoch: float | None,
        logs: Mapping[str, Any],
        model: torch.nn.Module | None,
    ) -> StopDecision:
        """Take one logged row in; return whether training goes on."""
        row = admit(logs)
        self._logged_rows += 1
        self._keep(LoggedRow(step, epoch, row, time.time()))
        events = self._containment.run("engine", self._engine.observe, step, row) or ()
        self._tell(events)
        if self._stop_policy is None or self._stopped_by is not None:
            return StopDecision.CONTINUE
        self._stopped_by = self._stop_policy.choose(events)
        if self._stopped_by is None:
            return StopDecision.CONTINUE
        return self._stop(self._stopped_by, model)

    def note_checkpoint(self, step: int) -> None:
        """Remember a checkpoint that the trainer saved."""
        self._checkpoints.steps.append(step)
        if self._stopped_by is not None:
            self._saved_at = step

    def end(self, step: int) -> None:
        """Close open episodes, write the final metadata and the report, and say where it is."""
        contain = self._containment.run
        self._keep(Milestone("train_end", step, time=time.time()))
        self._tell(contain("engine", self._engine.finish, step) or ())
        contain("final metadata", self._write_final_metadata, step)
        contain("report", self._write_report)
        contain("console", self._say_goodbye, step)

    def _keep(self, entry: MetricsEntry) -> None:
        self._containment.run("metrics file", self._append_metrics, entry)

    def _tell(self, events: tuple[Event, ...]) -> None:
        self._events += events
        for event in events:
            self._containment.run("insights file", self._append_insight, event)
            self._containment.run("console", self._console.show, event)

    def _stop(
        self, by: InsightFired | InsightEscalated, model: torch.nn.Module | None
    ) -> StopDecision:
        if model is not None:
            finite = self._containment.run("weights check", weights_are_finite, model)
            # An unanswered check counts as finite: a checkpoint too many does no harm.
            self._weights_finite = finite is not False
        good = self._checkpoints.last_sound(by.last_sound_step)
        if good is not None and self._checkpoints.saving_would_delete(good):
            return StopDecision.STOP_WITHOUT_SAVING
        if self._weights_finite:
            return StopDecision.SAVE_AND_STOP
        return StopDecision.STOP_WITHOUT_SAVING

    def _stop_outcome(self, step: int) -> StopOutcome | None:
        by = self._stopped_by
        if by is None:
            return None
        good = self._checkpoints.last_sound(by.last_sound_step)
        return StopOutcome(
            insight=by.insight,
            rule=by.rule,
            severity=by.severity,
            message=by.message,
            fired_at_step=by.step,
            ended_at_step=step,
            weights_finite=self._weights_finite,
            saved_checkpoint=self._checkpoint_name(self._saved_at),
            last_good_checkpoint=self._checkpoint_name(good),
        )

    def _checkpoint_name(self, step: int | None) -> str | None:
        return None if step is None else str(self._checkpoints.path(step))

    def _append_metrics(self, entry: MetricsEntry) -> None:
        self._directory.append_metrics(metrics_line(entry))

    def _append_insight(self, event: Event) -> None:
        self._directory.append_insight(insight_line(event))

    def _write_start_metadata(self, model: torch.nn.Module | None, tokenizer: object) -> None:
        metadata = start_metadata(
            self._run, self._bundle, self._stop_policy, model, tokenizer, self._containment
        )
        self._directory.write_metadata_start(metadata)

    def _write_final_metadata(self, step: int) -> None:
        metadata = final_metadata(
            run=self._run,
            step=step,
            logged_rows=self._logged_rows,
            stop=self._stop_outcome(step),
            events=self._events,
            rules_judged=self._engine.rules_judged,
            not_run=self._engine.coverage(),
            containment=self._containment,
        )
        self._directory.write_metadata_final(metadata)

    def _write_report(self) -> None:
        self._directory.write_report(render_report(self._directory.path))

    def _greet(self) -> None:
        files = f"files in {self._directory.path}"
        if self._run.trainer is None:
            note = "its trainer is not known, so only the rules for every trainer apply"
            self._console.tell(f"watching this run; {note}; {files}")
        else:
            self._console.tell(f"watching this {self._run.trainer.upper()} run; {files}")

    def _say_goodbye(self, step: int) -> None:
        outcome = self._stop_outcome(step)
        came_of_it = str(outcome) if outcome else f"{_summary(self._events)};"
        report = self._directory.report
        where = f"report: {report}" if report.exists() else "the report could not be written"
        self._console.tell(f"{came_of_it} {where}")


def _summary(events: list[Event]) -> str:
    roots = [episode for episode in episodes(events) if episode.caused_by is None]
    if not roots:
        return "no insights"
    plural = "" if len(roots) == 1 else "s"
    return f"{len(roots)} insight{plural}, the worst of severity {roots[0].severity}"
