"""One run being watched: from the first step to the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, episodes
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    metrics_line,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.ptt_trl.machine import MachineReading, machine_row
from post_training_toolkit.ptt_trl.metadata import final_metadata, final_status, start_metadata
from post_training_toolkit.ptt_trl.preflight import preflight_row
from post_training_toolkit.ptt_trl.report import render_report
from post_training_toolkit.ptt_trl.resume import Seam, take_up, write_validation
from post_training_toolkit.ptt_trl.run_directory import RunDirectory
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart, Sink
from post_training_toolkit.ptt_trl.stop import StopDecision, StopPolicy, StopSwitch
from post_training_toolkit.ptt_trl.training_parts import TrainingParts
from post_training_toolkit.rules.model import RuleBundle
from post_training_toolkit.rules.profile import load_profile


class RunSession:
    """Watches one run on rank 0: writes its files, asks the engine, tells the sinks.

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
        face: Sink,
        sinks: Mapping[str, Sink],
        containment: Containment,
    ) -> None:
        self._directory = directory
        self._bundle = bundle
        self._run = run
        self._checkpoints = checkpoints
        self._stop_policy = stop_policy
        self._switch = StopSwitch(stop_policy, checkpoints)
        self._face = face
        # The user sees first what machines may fail to take.
        self._sinks = {"console": face, **sinks}
        self._containment = containment
        self._canonicalizer = Canonicalizer(load_profile(run.trainer), run.configuration)
        self._engine = Engine(bundle.rules, run, containment)
        self._events: list[Event] = []
        self._seam: Seam | None = None
        self._logged_rows = 0
        self._ended = False

    @property
    def stop_decision(self) -> StopDecision:
        """What this process asks all others to do."""
        return self._switch.decision

    def begin(self, step: int, parts: TrainingParts) -> None:
        """Write what is known before the first step, take a resumed run up, greet the user."""
        contain = self._containment.run
        resumed_at = step if self._directory.start else None
        start = start_metadata(
            self._run, self._bundle, self._stop_policy, parts, resumed_at, self._containment
        )
        contain("rules folder", self._directory.write_rules, self._bundle)
        contain("start metadata", self._directory.write_metadata_start, start)
        if resumed_at is not None:
            contain("resume", self._take_up, step, start)
        self._keep(Milestone("train_begin", step, self._run.max_steps, time.time()))
        begun = RunStart(self._run.trainer, self._directory.path, resumed_at)
        for name, sink in self._sinks.items():
            contain(name, sink.begin, begun)
        for note in self._seam.notes() if self._seam is not None else ():
            self.note(note)
        if resumed_at is None:
            # A resumed run was looked at when it began; what has changed since is compared.
            looked_at = preflight_row(self._run.configuration, parts, self._containment)
            self._observe(step, None, admit(looked_at))

    def log(self, step: int, epoch: float | None, logs: Mapping[str, Any]) -> None:
        """Take in one row that the trainer logged; after the end it is only kept."""
        row = admit(logs)
        self._logged_rows += 1
        self._observe(step, epoch, row)

    def take_readings(
        self, step: int, epoch: float | None, readings: Sequence[MachineReading]
    ) -> None:
        """Take in what the ranks measured of themselves, as one more row of metrics."""
        self._observe(step, epoch, admit(machine_row(readings)))

    def note_checkpoint(self, step: int) -> None:
        """Remember a checkpoint that the trainer saved."""
        self._switch.note_checkpoint(step)

    def note_weights_not_finite(self) -> None:
        """Remember why the stop saved nothing."""
        self._switch.note_weights_not_finite()

    def note(self, text: str) -> None:
        """Tell the user a sentence that is no insight."""
        for name, sink in self._sinks.items():
            self._containment.run(name, sink.note, text)

    def end(self, step: int) -> RunEnding:
        """Close open episodes, write the final metadata and the report, and say where it is."""
        contain = self._containment.run
        self._keep(Milestone("train_end", step, time=time.time()))
        self._tell(contain("engine", self._engine.finish, step) or ())
        self._ended = True
        ending = self._ending(step)
        # First, so that the report can tell of what failed in them; the face shows the report.
        for name, sink in self._sinks.items():
            if sink is not self._face:
                contain(name, sink.end, ending)
        told = len(self._containment.failures)
        self._write_ending(ending)
        if not self._directory.report.exists():
            ending = replace(ending, report=None)
        contain("console", self._face.end, ending)
        if len(self._containment.failures) > told:
            # The report itself failed, or the last words did: the files shall tell of that, too.
            self._write_ending(ending)
        return ending

    def _ending(self, step: int) -> RunEnding:
        stop = self._switch.outcome(step)
        status = final_status(self._run, step, stop)
        found = tuple(episodes(self._events))
        return RunEnding(status, step, found, stop, self._directory.report)

    def _write_ending(self, ending: RunEnding) -> None:
        metadata = final_metadata(
            ending,
            max_steps=self._run.max_steps,
            logged_rows=self._logged_rows,
            checkpoints=self._checkpoints.kept(),
            rules_judged=self._engine.rules_judged,
            not_run=self._engine.coverage(),
            containment=self._containment,
        )
        self._containment.run("final metadata", self._directory.write_metadata_final, metadata)
        self._containment.run("report", self._write_report)

    def _observe(self, step: int, epoch: float | None, row: Row) -> None:
        canonical = self._containment.run("profile", self._canonicalizer.canonical, row) or row
        self._keep(LoggedRow(step, epoch, row, time.time()), canonical)
        if self._ended:
            return
        events = self._containment.run("engine", self._engine.observe, step, row) or ()
        self._tell(events)
        self._switch.consider(events)
        if self._seam is not None and self._seam.add(canonical):
            self._containment.run("resume", self._tell_jumps, self._seam)

    def _take_up(self, step: int, start: Mapping[str, Any]) -> None:
        self._seam = take_up(self._directory, self._engine, self._canonicalizer, step, start)
        self._events = self._seam.events
        write_validation(self._directory, self._seam)

    def _tell_jumps(self, seam: Seam) -> None:
        write_validation(self._directory, seam)
        for text in seam.jumps():
            self.note(text)

    def _keep(self, entry: MetricsEntry, canonical: Row | None = None) -> None:
        self._containment.run("metrics file", self._append_metrics, entry, canonical)

    def _append_metrics(self, entry: MetricsEntry, canonical: Row | None) -> None:
        self._directory.append_metrics(metrics_line(entry, canonical))

    def _tell(self, events: Sequence[Event]) -> None:
        self._events += events
        for event in events:
            self._containment.run("insights file", self._append_insight, event)
            for name, sink in self._sinks.items():
                self._containment.run(name, sink.show, event)

    def _append_insight(self, event: Event) -> None:
        self._directory.append_insight(insight_line(event))

    def _write_report(self) -> None:
        self._directory.write_report(render_report(self._directory.path))
