"""DiagnosticsCallback: the thin side that a TRL trainer sees."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.run_files import DEFAULT_FOLDER
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.ptt_trl.live import live_face
from post_training_toolkit.ptt_trl.logged_row import whole_row
from post_training_toolkit.ptt_trl.machine import MachineReading, MachineWatch
from post_training_toolkit.ptt_trl.rank_exchange import RankExchange
from post_training_toolkit.ptt_trl.ranks import is_distributed
from post_training_toolkit.ptt_trl.run_description import describe_run
from post_training_toolkit.ptt_trl.run_directory import (
    RunDirectory,
    claim_run_directory,
    find_run_directory,
)
from post_training_toolkit.ptt_trl.session import RunSession
from post_training_toolkit.ptt_trl.sink import Sink
from post_training_toolkit.ptt_trl.stop import (
    StopDecision,
    StopOn,
    TrainingStopped,
    parse_stop_on,
)
from post_training_toolkit.ptt_trl.stop_execution import StopExecution
from post_training_toolkit.ptt_trl.structured_log import json_log, standard_log
from post_training_toolkit.ptt_trl.trackers import tracker_sinks
from post_training_toolkit.ptt_trl.trainer_detection import detect_trainer
from post_training_toolkit.ptt_trl.training_parts import calling_trainer, find_parts
from post_training_toolkit.ptt_trl.webhook import Webhook, check_address
from post_training_toolkit.rules.profile import load_profile
from post_training_toolkit.rules.sources import expand_path, read_file, shipped_beside

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

    Raises ``InvalidRulesError`` with every located mistake in the rule files, ``FileNotFoundError``
    for a path without rules and ``ValueError`` for an unknown ``stop_on`` or a ``webhook`` that is
    no address, all before training.

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
    ) -> None:
        paths = [rules] if isinstance(rules, str | Path) else rules
        own = [read_file(file) for path in paths for file in expand_path(Path(path))]
        self._bundle = load_checked_bundle([*shipped_beside(own), *own])
        self._stop_policy = parse_stop_on(stop_on, [rule.id for rule in self._bundle.rules])
        self._run_dir = Path(run_dir) if run_dir is not None else None
        if webhook is not None:
            check_address(webhook)
        self._webhook = webhook
        self._log_json = log_json
        # Rows of an evaluation before training, which belong to the run that follows.
        self._early_rows: list[tuple[int, float | None, dict[str, Any]]] = []
        self._containment = Containment()
        self._session: RunSession | None = None
        self._machine: MachineWatch | None = None
        self._execution: StopExecution | None = None
        self._ignores_stop = False
        self._exchange = RankExchange(agrees_on_stops=False)

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Open the run directory; only the first process writes."""
        self._containment = Containment()
        self._session = None
        self._machine = MachineWatch(args.device)
        self._execution = StopExecution(self._containment, args.device)
        trainer = self._containment.run("trainer detection", self._detect, args)
        self._ignores_stop = load_profile(trainer).ignores_stop
        self._exchange = RankExchange(agrees_on_stops=self._stop_policy is not None)
        if state.is_world_process_zero:
            self._session = self._containment.run(
                "start", self._open_session, args, state, trainer, kwargs
            )

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
        self._end_pause()

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
        if self._session is not None:
            self._containment.run("end", self._session.end, state.global_step)

    def _detect(self, args: TrainingArguments) -> str | None:
        return detect_trainer(args, calling_trainer())

    def _open_session(
        self,
        args: TrainingArguments,
        state: TrainerState,
        trainer: str | None,
        given: dict[str, Any],
    ) -> RunSession:
        output_dir = Path(args.output_dir or ".")
        session = RunSession(
            directory=self._open_directory(self._run_dir or output_dir / DEFAULT_FOLDER, state),
            bundle=self._bundle,
            run=describe_run(args, state, trainer),
            checkpoints=Checkpoints(
                output_dir, args.save_total_limit, [state.global_step] if state.global_step else []
            ),
            stop_policy=self._stop_policy,
            face=live_face(),
            sinks=self._sinks(args),
            containment=self._containment,
        )
        session.begin(state.global_step, find_parts(given))
        if self._stop_policy is not None and args.world_size > 1 and not is_distributed():
            session.note("stop_on is off: these processes cannot agree without torch.distributed")
        for step, epoch, logs in self._early_rows:
            session.log(step, epoch, logs)
        self._early_rows.clear()
        return session

    def _sinks(self, args: TrainingArguments) -> dict[str, Sink]:
        sinks: dict[str, Sink] = {"structured log": standard_log()}
        if self._log_json:
            sinks["JSON log"] = json_log(sys.stderr)
        if self._webhook is not None:
            sinks["webhook"] = Webhook(self._webhook)
        return {**sinks, **tracker_sinks(args.report_to, calling_trainer())}

    def _open_directory(self, wanted: Path, state: TrainerState) -> RunDirectory:
        resumed = state.global_step > 0
        find = self._containment.run
        found = find("resume", find_run_directory, wanted, state.global_step) if resumed else None
        return found or claim_run_directory(wanted)

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
