"""DiagnosticsCallback: the thin side that a TRL trainer sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.ptt_trl.logged_row import whole_row
from post_training_toolkit.ptt_trl.machine import MachineReading, MachineWatch
from post_training_toolkit.ptt_trl.postmortem.death_watch import WatchOptions
from post_training_toolkit.ptt_trl.postmortem.elastic_errors import record_own_error
from post_training_toolkit.ptt_trl.postmortem.train_guard import UncaughtHook, guard, is_guarded
from post_training_toolkit.ptt_trl.rank_exchange import RankExchange
from post_training_toolkit.ptt_trl.ranks import is_distributed
from post_training_toolkit.ptt_trl.session import RunSession
from post_training_toolkit.ptt_trl.session_opening import SessionOptions, open_session
from post_training_toolkit.ptt_trl.snapshots.recorder import SnapshotPlan, SnapshotRecorder
from post_training_toolkit.ptt_trl.snapshots.settings import SnapshotSettings, snapshot_settings
from post_training_toolkit.ptt_trl.stop import (
    StopDecision,
    StopOn,
    TrainingStopped,
    parse_stop_on,
)
from post_training_toolkit.ptt_trl.stop_execution import StopExecution
from post_training_toolkit.ptt_trl.trainer_detection import detect_trainer
from post_training_toolkit.ptt_trl.training_parts import calling_trainer, find_parts
from post_training_toolkit.ptt_trl.webhook import check_address
from post_training_toolkit.rules.profile import load_profile
from post_training_toolkit.rules.sources import default_beside, expand_path, read_file

PathLike = str | Path


class DiagnosticsCallback(TrainerCallback):
    """Watches a TRL run, tells what is wrong while it is alive, and can stop it.

    Works without arguments in any trainer; what a rule knows about the trainer comes from its class
    and its arguments. It never raises into training: what fails inside is logged once, contained,
    and listed in the report.

    Args:
        rules: rule files, or folders of them, beside the shipped packs. A file may change shipped
            rules with ``overrides``.
        stop_on: stop training at the first insight of this severity or above: "low", "medium",
            "high" or "critical"; or, given as a list, of one of these rules. A checkpoint is saved
            first, unless the weights are no longer finite. None never stops. A trainer that cannot
            be told to stop (PPOTrainer) is ended by ``TrainingStopped``.
        run_dir: where the files of the run go; ``ptt`` inside ``args.output_dir`` by default. A
            folder that already holds a run is left alone and the next free ``-2``, ``-3`` taken,
            unless training is resumed: then the run goes on in its own folder.
        webhook: address to which insights and the end of the run are posted, as Slack takes them,
            from a thread of its own.
        log_json: write every event to stderr as well, one JSON object a line.
        watcher: start a small process beside the run, which writes ``postmortem.json`` where the
            run itself cannot: when it is killed, crashes in native code, or hangs.
        hang_after: seconds without a sign of life after which the run counts as hanging; by default
            ten minutes, or 20 times the median step if that is longer.
        snapshots: ask the model fixed prompts at the start, at every tenth of the run and at the
            end, and tell how its behaviour changes: whether it refuses, repeats itself, drifts.
            True for the built-in prompts, a path for a file of prompts beside them, or
            ``SnapshotSettings``. Nothing of the training changes but its time.

    Raises ``InvalidRulesError`` with every located mistake in the rule files, ``FileNotFoundError``
    for a path without rules and ``ValueError`` for an unknown ``stop_on``, a ``webhook`` that is no
    address or a ``hang_after`` that is no time, and ``PromptFileError`` for broken prompts, all
    before training.

    Example:
        >>> callback = DiagnosticsCallback(stop_on="high")
    """

    def __init__(
        self,
        *,
        rules: PathLike | Sequence[PathLike] = (),
        stop_on: StopOn | None = None,
        run_dir: PathLike | None = None,
        webhook: str | None = None,
        log_json: bool = False,
        watcher: bool = True,
        hang_after: float | None = None,
        snapshots: bool | PathLike | SnapshotSettings = False,
    ) -> None:
        paths = [rules] if isinstance(rules, str | Path) else rules
        own = [read_file(file) for path in paths for file in expand_path(Path(path))]
        bundle = load_checked_bundle([*default_beside(own), *own])
        self._stop_policy = parse_stop_on(stop_on, [rule.id for rule in bundle.rules])
        if webhook is not None:
            check_address(webhook)
        wanted = snapshot_settings(snapshots)
        self._options = SessionOptions(
            bundle=bundle,
            stop_policy=self._stop_policy,
            run_dir=Path(run_dir) if run_dir is not None else None,
            webhook=webhook,
            log_json=log_json,
            watch=WatchOptions(watcher, hang_after),
            snapshots=SnapshotPlan(wanted, wanted.read_prompts()) if wanted is not None else None,
        )
        # Rows of an evaluation before training, which belong to the run that follows.
        self._early_rows: list[tuple[int, float | None, dict[str, Any]]] = []
        self._containment = Containment()
        self._session: RunSession | None = None
        self._uncaught: UncaughtHook | None = None
        self._machine: MachineWatch | None = None
        self._recorder: SnapshotRecorder | None = None
        self._execution: StopExecution | None = None
        self._ignores_stop = False
        self._exchange = RankExchange(agrees_on_stops=False)

    def on_init_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Have every exception told that will end a training, even one that somebody catches."""
        self._containment.run("training guard", self._guard)

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Open the run directory; only the first process writes."""
        self._close_unended()
        self._containment = Containment()
        self._session = None
        self._machine = MachineWatch(args.device)
        self._execution = StopExecution(self._containment, args.device)
        trainer = self._containment.run("trainer detection", self._detect, args)
        self._ignores_stop = load_profile(trainer).ignores_stop
        self._exchange = RankExchange(agrees_on_stops=self._stop_policy is not None)
        if state.is_world_process_zero:
            start = self._containment.run
            options, contained_by = self._options, self._containment
            self._session = start(
                "start", open_session, options, args, state, trainer, contained_by
            )
            if self._session is not None:
                start("start", self._begin, self._session, args, state, kwargs)
        if not is_guarded(calling_trainer()):
            self._uncaught = UncaughtHook(self._training_died)
            self._containment.run("hook for exceptions", self._uncaught.install)
        self._begin_snapshots(state, kwargs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Feed one logged row to the rules, and stop if one of them asks for it."""
        if not logs:
            return
        self._containment.run("log", self._take_row, state, logs)
        if args.world_size == 1:
            self._stop_if(self._wish(), control, kwargs.get("model"))
        self._end_pause()

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take the time."""
        self._beat(state)
        if self._machine is not None:
            self._containment.run("machine", self._machine.step_begins)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Read what this process measured; with several, exchange it and agree on the last log."""
        logs_now = control.should_log or control.should_evaluate
        self._beat(state)
        if self._machine is not None:
            self._containment.run("machine", self._machine.step_ends)
            if args.world_size == 1:
                # What was seen before the first step can ask for it.
                self._stop_if(self._wish(), control, kwargs.get("model"))
                if logs_now:
                    self._take_readings(state, [self._read(self._machine)])
            elif is_distributed() and self._exchange.is_due(state.global_step):
                # Outside containment: a rank that stays away would block the others.
                agreed, readings = self._exchange.exchange(
                    state.global_step, self._wish(), self._read(self._machine), args.device
                )
                self._stop_if(agreed, control, kwargs.get("model"))
                self._take_readings(state, readings)
                self._end_pause()
        self._exchange.note_log(logs_now)
        if self._recorder is not None and self._recorder.step_ends(state, kwargs):
            self._end_pause()
            # A rule that reads it may ask for a stop.
            self._exchange.note_log(True)
            if args.world_size == 1:
                self._stop_if(self._wish(), control, kwargs.get("model"))
        if not control.should_save:
            self._end_if_stop_is_ignored(state)

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Keep a save at the end of the epoch from undoing a stop without saving."""
        self._exchange.note_log(control.should_log or control.should_evaluate)
        if self._execution is not None:
            self._execution.guard_saving(control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Leave the evaluation out of the time between two steps."""
        self._beat(state)
        self._end_pause()

    def on_substep_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take in a sign of life, within a step of many batches."""
        self._beat(state)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take in a sign of life, within an evaluation."""
        self._beat(state)

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Remember the checkpoint: it may be the last good one."""
        if self._session is not None:
            self._containment.run("save", self._session.note_checkpoint, state.global_step)
        self._beat(state)
        self._end_pause()
        self._end_if_stop_is_ignored(state)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Write the final metadata and the report."""
        if self._recorder is not None:
            self._recorder.end(state, kwargs)
        if self._session is not None:
            self._containment.run("end", self._session.end, state.global_step)
        self._stop_listening()

    def _begin_snapshots(self, state: TrainerState, given: dict[str, Any]) -> None:
        self._recorder = None
        if self._options.snapshots is None or given.get("model") is None:
            return
        session = self._session
        recorder = SnapshotRecorder(
            self._options.snapshots,
            self._containment,
            session.take_snapshot if session is not None else None,
            lambda _: self._beat(state),
        )
        reason = recorder.begin(state, given)
        if reason is None:
            self._recorder = recorder
        elif session is not None:
            session.note(f"no snapshots are taken: {reason}")

    def _guard(self) -> None:
        trainer = calling_trainer()
        if trainer is not None:
            guard(trainer, self._training_died)

    def _training_died(self, error: BaseException) -> None:
        """Write down what has ended a training, on the rank where it happened."""
        if self._machine is None:
            return
        self._containment.run("torchrun's error file", record_own_error, error)
        if self._session is not None:
            self._containment.run("death", self._session.die, error)
        self._stop_listening()
        self._machine = None

    def _close_unended(self) -> None:
        """Give up a training that ended without a word, before the next one begins."""
        if self._session is not None:
            self._containment.run("death", self._session.die, None)
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._uncaught is not None:
            self._containment.run("hook for exceptions", self._uncaught.remove)
            self._uncaught = None

    def _beat(self, state: TrainerState) -> None:
        if self._session is not None:
            self._containment.run("heartbeat", self._session.beat, state.global_step)

    def _detect(self, args: TrainingArguments) -> str | None:
        return detect_trainer(args, calling_trainer())

    def _begin(
        self,
        session: RunSession,
        args: TrainingArguments,
        state: TrainerState,
        given: dict[str, Any],
    ) -> None:
        session.begin(state.global_step, find_parts(given))
        if self._stop_policy is not None and args.world_size > 1 and not is_distributed():
            session.note("stop_on is off: these processes cannot agree without torch.distributed")
        for step, epoch, logs in self._early_rows:
            session.log(step, epoch, logs)
        self._early_rows.clear()

    def _take_row(self, state: TrainerState, logs: dict[str, Any]) -> None:
        row = whole_row(state, logs)
        if self._machine is not None and admit(row).non_finite:
            self._machine.saw_non_finite()
        if self._session is not None:
            self._session.log(state.global_step, state.epoch, row)
        elif self._machine is None and state.is_world_process_zero:
            self._early_rows.append((state.global_step, state.epoch, row))

    def _wish(self) -> StopDecision:
        """Return what this process asks for; only the first one ever asks for anything."""
        return self._session.stop_decision if self._session is not None else StopDecision.CONTINUE

    def _stop_if(
        self, agreed: StopDecision, control: TrainerControl, model: torch.nn.Module | None
    ) -> None:
        """Do what all processes agreed on; what only this one asks for changes nothing yet."""
        if self._execution is None:
            return
        self._execution.carry_out(agreed, model, control)
        if self._session is not None and not self._execution.weights_finite:
            self._session.note_weights_not_finite()

    def _end_pause(self) -> None:
        if self._machine is not None:
            self._containment.run("machine", self._machine.pause_ends)

    def _read(self, machine: MachineWatch) -> MachineReading:
        return self._containment.run("machine", machine.read) or MachineReading.nothing()

    def _take_readings(self, state: TrainerState, readings: Sequence[MachineReading]) -> None:
        if self._session is not None:
            self._containment.run(
                "machine", self._session.take_readings, state.global_step, state.epoch, readings
            )

    def _end_if_stop_is_ignored(self, state: TrainerState) -> None:
        """End a trainer that does not look at the stop flag, once all files are written."""
        execution = self._execution
        if not self._ignores_stop or execution is None or not execution.decision:
            return
        # A trainer that catches the exception is asked no second time.
        self._execution = None
        ending = None
        if self._session is not None:
            ending = self._containment.run("end", self._session.end, state.global_step)
        reason = ending.stop if ending is not None else None
        raise TrainingStopped(
            str(reason or f"Stopped at step {state.global_step} because stop_on asked for it.")
        )
