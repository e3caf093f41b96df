"""One run being watched: from the first step to the report."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import torch

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
from post_training_toolkit.ptt_trl.final_metadata import (
    CRASHED,
    STOPPED,
    final_metadata,
    final_status,
)
from post_training_toolkit.ptt_trl.machine import MachineReading, machine_row
from post_training_toolkit.ptt_trl.metadata import start_metadata
from post_training_toolkit.ptt_trl.model_identity import model_identity
from post_training_toolkit.ptt_trl.postmortem.causes import by_exception, by_termination
from post_training_toolkit.ptt_trl.postmortem.death_watch import DeathWatch
from post_training_toolkit.ptt_trl.postmortem.record import (
    Circumstances,
    compose,
    read_postmortem,
    tells_of,
    write_postmortem,
)
from post_training_toolkit.ptt_trl.preflight import preflight_row
from post_training_toolkit.ptt_trl.report.writing import write_reports
from post_training_toolkit.ptt_trl.resume import Seam, take_up, write_validation
from post_training_toolkit.ptt_trl.run_directory import RunDirectory
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart, Sink
from post_training_toolkit.ptt_trl.snapshots.archive import SnapshotArchive, snapshot_row
from post_training_toolkit.ptt_trl.snapshots.recorder import SharesTaken
from post_training_toolkit.ptt_trl.snapshots.rollouts import RolloutReader
from post_training_toolkit.ptt_trl.stop import StopDecision, StopPolicy, StopSwitch
from post_training_toolkit.ptt_trl.stopwatch import Stopwatch
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
        archive: SnapshotArchive | None,
        rollouts: RolloutReader | None,
        watch: DeathWatch,
        stop_policy: StopPolicy | None,
        face: Sink,
        sinks: Mapping[str, Sink],
        containment: Containment,
    ) -> None:
        self._directory = directory
        self._watch = watch
        self._bundle = bundle
        self._run = run
        self._checkpoints = checkpoints
        self._archive = archive
        self._rollouts = rollouts
        self._stop_policy = stop_policy
        self._switch = StopSwitch(stop_policy, checkpoints)
        self._face = face
        # The user sees first what machines may fail to take.
        self._sinks = {"console": face, **sinks}
        self._containment = containment
        self._canonicalizer = Canonicalizer(load_profile(run.trainer), run.configuration)
        self._engine = Engine(bundle.rules, run, containment)
        self._start: dict[str, Any] = {}
        self._events: list[Event] = []
        self._seam: Seam | None = None
        self._logged_rows = 0
        self._process_id = os.getpid()
        self._began = time.monotonic()
        self._stopwatch = Stopwatch()
        self._terminated: Circumstances | None = None
        self._ended = False

    @property
    def stop_decision(self) -> StopDecision:
        """What this process asks all others to do."""
        return self._switch.decision

    def begin(self, step: int, parts: TrainingParts) -> None:
        """Write what is known before the first step, take a resumed run up, greet the user."""
        with self._stopwatch:
            self._begin(step, parts)

    def _begin(self, step: int, parts: TrainingParts) -> None:
        contain = self._containment.run
        resumed_at = step if self._directory.start else None
        if resumed_at is not None:
            contain("post-mortem", self._directory.set_postmortem_aside)
        self._watch.begin(step, self._terminate, self._containment)
        start = start_metadata(
            self._run, self._bundle, self._stop_policy, parts, resumed_at, self._containment
        )
        self._start = start
        self._write_start()
        if resumed_at is not None:
            contain("resume", self._take_up, step, start)
            if self._archive is not None:
                contain("snapshot", self._archive.take_up, step, self._directory.start)
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

    def _write_start(self) -> None:
        contain = self._containment.run
        contain("rules folder", self._directory.write_rules, self._bundle)
        contain("start metadata", self._directory.write_metadata_start, self._start)

    def beat(self, step: int) -> None:
        """Take in a sign of life."""
        if not self._ended:
            self._watch.beat(step)

    def log(self, step: int, epoch: float | None, logs: Mapping[str, Any]) -> None:
        """Take in one row that the trainer logged; after the end it is only kept."""
        self._logged_rows += 1
        with self._stopwatch:
            self._observe(step, epoch, admit(logs))
            if self._rollouts is not None:
                read = self._containment.run("rollouts", self._rollouts.take_up, step)
                self._observe_rollouts(step, epoch, read)

    def take_readings(
        self, step: int, epoch: float | None, readings: Sequence[MachineReading]
    ) -> None:
        """Take in what the ranks measured of themselves, as one more row of metrics."""
        with self._stopwatch:
            self._observe(step, epoch, admit(machine_row(readings)))

    def take_snapshot(
        self, step: int, epoch: float | None, taken: SharesTaken, model: torch.nn.Module
    ) -> None:
        """Keep a snapshot of the model's behaviour; its measures are one more row of metrics."""
        if self._archive is None:
            return
        with self._stopwatch:
            snapshot = self._archive.add(taken, step, model_identity(model) or {})
            self._stopwatch.add(snapshot.seconds)
            self._observe(step, epoch, admit(snapshot_row(snapshot)))

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
        try:
            with self._stopwatch:
                if self._rollouts is not None:
                    read = self._containment.run("rollouts", self._rollouts.finish, step)
                    self._observe_rollouts(step, None, read)
                self._keep(Milestone("train_end", step, time=time.time()))
                self._tell(self._containment.run("engine", self._engine.finish, step) or ())
                self._containment.run("post-mortem", self._settle_termination, step)
                return self._conclude(self._ending(step))
        finally:
            self._watch.end(self._containment, died=False)

    def die(self, error: BaseException | None) -> None:
        """Take in what has ended the training, post-mortem first; None if nobody saw it."""
        # A child that was forked in the middle of the run has nothing to say about it.
        if self._ended or os.getpid() != self._process_id:
            return
        self._ended = True
        terminated = self._terminated is not None
        output_dir = self._checkpoints.output_dir
        try:
            with self._stopwatch:
                self._take_death(by_exception(error, output_dir, terminated=terminated))
        finally:
            # Even if the user presses Ctrl-C a second time.
            self._watch.end(self._containment, died=True)

    def _take_death(self, death: Circumstances) -> None:
        contain, step = self._containment.run, self._watch.step
        contain("post-mortem", self._write_postmortem, death)
        facts = death.facts()
        self._keep(Milestone("exception", step, time=death.time, death=facts))
        events = contain("engine", self._engine.die, step, facts) or ()
        self._record(events)
        # Now with the insights of the rules that know this death.
        contain("post-mortem", self._write_postmortem, death)
        self._show(events)
        ending = self._ending(step)
        postmortem = self._directory.postmortem
        self._conclude(replace(ending, status=CRASHED, error=death.error, postmortem=postmortem))

    def _conclude(self, ending: RunEnding) -> RunEnding:
        """Tell of an ending, and write it down."""
        contain = self._containment.run
        self._ended = True
        if not self._directory.metadata_start.exists():
            # The folder was removed, and what was logged since stands in a new one.
            self._write_start()
        # First, so that the report can tell of what failed in them; the face shows the report.
        for name, sink in self._sinks.items():
            if sink is not self._face:
                contain(name, sink.end, ending)
        told = len(self._containment.failures)
        # Before the report, which takes a while, and more room on the disk.
        contain("final metadata", self._write_final, ending)
        self._write_reports(ending)
        if not self._directory.report.exists():
            ending = replace(ending, report=None)
        contain("console", self._face.end, ending)
        if len(self._containment.failures) > told:
            # The report itself failed, or the last words did: it shall tell of that, too.
            self._write_reports(ending)
        return ending

    def _ending(self, step: int) -> RunEnding:
        stop = self._switch.outcome(step)
        early = self._terminated is not None and step != self._run.max_steps
        status = STOPPED if early else final_status(self._run, step, stop)
        found = tuple(episodes(self._events))
        return RunEnding(status, step, found, stop, self._directory.report)

    def _final(self, ending: RunEnding) -> dict[str, Any]:
        return final_metadata(
            ending,
            max_steps=self._run.max_steps,
            logged_rows=self._logged_rows,
            checkpoints=self._checkpoints.kept(),
            rules_judged=self._engine.rules_judged,
            not_run=self._engine.coverage(),
            containment=self._containment,
            diagnostics_seconds=round(self._stopwatch.elapsed, 3),
            run_seconds=round(time.monotonic() - self._began, 3),
        )

    def _write_final(self, ending: RunEnding) -> None:
        self._directory.write_metadata_final(self._final(ending))

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Write of a SIGTERM, in its handler, before anybody else reacts to it."""
        if self._terminated is None and not self._ended:
            stack = traceback.format_stack(frame)
            self._terminated = by_termination(stack, self._checkpoints.output_dir)
            if not tells_of(read_postmortem(self._directory.path), self._process_id):
                self._containment.run("post-mortem", self._write_postmortem, self._terminated)

    def _settle_termination(self, step: int) -> None:
        """Keep what was written of a SIGTERM only if it ended the training early."""
        # The watcher may have written it, where another handler took the signal.
        if not tells_of(read_postmortem(self._directory.path), self._process_id):
            return
        if step == self._run.max_steps:
            self._directory.remove_postmortem()
        elif self._terminated is not None:
            # By now the checkpoint that it asked for may be there.
            self._write_postmortem(self._terminated)

    def _write_postmortem(self, death: Circumstances) -> None:
        write_postmortem(self._directory.path, compose(self._directory.path, death))

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

    def _observe_rollouts(
        self, step: int, epoch: float | None, measured: Mapping[str, float] | None
    ) -> None:
        if measured:
            self._observe(step, epoch, admit(measured))

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
        self._record(events)
        self._show(events)

    def _record(self, events: Sequence[Event]) -> None:
        self._events += events
        for event in events:
            self._containment.run("insights file", self._append_insight, event)

    def _show(self, events: Sequence[Event]) -> None:
        for event in events:
            for name, sink in self._sinks.items():
                self._containment.run(name, sink.show, event)

    def _append_insight(self, event: Event) -> None:
        self._directory.append_insight(insight_line(event))

    def _write_reports(self, ending: RunEnding) -> None:
        folder = self._directory.path
        write_reports(folder, self._containment, final=self._final(ending))
