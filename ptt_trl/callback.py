"""DiagnosticsCallback: the thin side that a TRL trainer sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.run_files import DEFAULT_FOLDER
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.ptt_trl.run_description import describe_run
from post_training_toolkit.ptt_trl.run_directory import claim_run_directory
from post_training_toolkit.ptt_trl.session import RunSession
from post_training_toolkit.ptt_trl.stop import StopDecision, agree, is_distributed, parse_stop_on
from post_training_toolkit.rules.sources import expand_path, read_file, shipped_beside

PathLike = str | Path


class DiagnosticsCallback(TrainerCallback):
    """Watches a TRL run, tells what is wrong while it is alive, and can stop it.

    Works without arguments in any trainer; what a rule knows about the trainer comes from its
    arguments' class. It never raises into training: what fails inside is logged once, contained,
    and listed in the report.

    Args:
        rules: rule files, or folders of them, beside the shipped packs. A file may change shipped
            rules with ``overrides``.
        stop_on: stop training at the first insight of this severity or above: "low", "medium",
            "high" or "critical". A checkpoint is saved first, unless the weights are no longer
            finite. None never stops.
        run_dir: where the files of the run go; ``ptt`` inside ``args.output_dir`` by default. A
            folder that already holds a run is left alone and the next free ``-2``, ``-3`` taken.

    Raises ``InvalidRulesError`` with every located mistake in the rule files, ``FileNotFoundError``
    for a path without rules and ``ValueError`` for an unknown ``stop_on``, all before training.

    Example:
        >>> callback = DiagnosticsCallback(stop_on="high")
    """

    def __init__(
        self,
        *,
        rules: PathLike | Sequence[PathLike] = (),
        stop_on: str | None = None,
        run_dir: PathLike | None = None,
    ) -> None:
        paths = [rules] if isinstance(rules, str | Path) else rules
        own = [read_file(file) for path in paths for file in expand_path(Path(path))]
        self._bundle = load_checked_bundle([*shipped_beside(own), *own])
        self._stop_policy = parse_stop_on(stop_on)
        self._run_dir = Path(run_dir) if run_dir is not None else None
        self._containment = Containment()
        self._session: RunSession | None = None
        self._asked_for = StopDecision.CONTINUE
        self._saving_forbidden = False
        self._logged_since_agreement = False

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
        self._asked_for = StopDecision.CONTINUE
        self._saving_forbidden = False
        self._logged_since_agreement = False
        if state.is_world_process_zero:
            self._session = self._containment.run("start", self._open_session, args, state, kwargs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Feed one logged row to the rules, and stop if one of them asks for it."""
        if self._session is not None and logs:
            model = kwargs.get("model")
            decided = self._containment.run(
                "log", self._session.log, state.global_step, state.epoch, logs, model
            )
            self._asked_for = max(self._asked_for, decided or StopDecision.CONTINUE)
        if self._stop_policy is not None and not is_distributed():
            self._carry_out(self._asked_for, control)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """With several processes, take the decision on the last log to all of them."""
        # A log can be a single rank's own affair; the end of a step is not, and every rank sees
        # the same flags there. Outside containment, since a rank that stays away blocks the others.
        if self._stop_policy is None or not is_distributed():
            return
        if self._logged_since_agreement:
            self._carry_out(agree(self._asked_for, args.device), control)
        self._logged_since_agreement = control.should_log or control.should_evaluate

    def on_epoch_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Keep a save at the end of the epoch from undoing a stop without saving."""
        if self._saving_forbidden:
            control.should_save = False

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
            self._session = None

    def _open_session(
        self, args: TrainingArguments, state: TrainerState, given: dict[str, Any]
    ) -> RunSession:
        output_dir = Path(args.output_dir or ".")
        session = RunSession(
            directory=claim_run_directory(self._run_dir or output_dir / DEFAULT_FOLDER),
            bundle=self._bundle,
            run=describe_run(args, state),
            checkpoints=Checkpoints(
                output_dir, args.save_total_limit, [state.global_step] if state.global_step else []
            ),
            stop_policy=self._stop_policy,
            containment=self._containment,
        )
        session.begin(state.global_step, given.get("model"), given.get("processing_class"))
        return session

    def _carry_out(self, decision: StopDecision, control: TrainerControl) -> None:
        """Do what all processes agreed on; what only this one asks for changes nothing yet."""
        self._asked_for = StopDecision.CONTINUE
        if decision is not StopDecision.CONTINUE:
            control.should_training_stop = True
            control.should_save = decision is StopDecision.SAVE_AND_STOP
        # To save once is enough; not to save holds to the end.
        self._saving_forbidden |= decision is StopDecision.STOP_WITHOUT_SAVING
        if self._saving_forbidden:
            control.should_save = False
