"""Puts together what watches one run, from the user's options and the trainer's arguments."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from transformers import TrainerState, TrainingArguments

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.run_files import DEFAULT_FOLDER
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.ptt_trl.live import live_face
from post_training_toolkit.ptt_trl.postmortem.death_watch import DeathWatch, WatchOptions
from post_training_toolkit.ptt_trl.run_description import describe_run
from post_training_toolkit.ptt_trl.run_directory import (
    RunDirectory,
    claim_run_directory,
    find_run_directory,
)
from post_training_toolkit.ptt_trl.session import RunSession
from post_training_toolkit.ptt_trl.sink import Sink
from post_training_toolkit.ptt_trl.snapshots.archive import SnapshotArchive
from post_training_toolkit.ptt_trl.snapshots.recorder import SnapshotPlan
from post_training_toolkit.ptt_trl.snapshots.rollouts import RolloutReader
from post_training_toolkit.ptt_trl.stop import StopPolicy
from post_training_toolkit.ptt_trl.structured_log import json_log, standard_log
from post_training_toolkit.ptt_trl.trackers import tracker_sinks
from post_training_toolkit.ptt_trl.training_parts import calling_trainer
from post_training_toolkit.ptt_trl.webhook import Webhook
from post_training_toolkit.rules.model import RuleBundle


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the user of the callback has chosen; ``run_dir`` is None for the usual place."""

    bundle: RuleBundle
    stop_policy: StopPolicy | None
    run_dir: Path | None
    webhook: str | None
    log_json: bool
    watch: WatchOptions
    snapshots: SnapshotPlan | None


def open_session(
    options: SessionOptions,
    args: TrainingArguments,
    state: TrainerState,
    trainer: str | None,
    containment: Containment,
) -> RunSession:
    """Return a session in a folder of its own, or in that of the run which is resumed.

    Must be called from within a callback's method. Raises ``OSError`` if there can be no folder.
    """
    # Absolute, since a script may change its folder while it trains.
    output_dir = Path(args.output_dir or ".").absolute()
    wanted = (options.run_dir or output_dir / DEFAULT_FOLDER).absolute()
    directory = _open_directory(wanted, state.global_step, containment)
    resumed_from = [state.global_step] if state.global_step else []
    return RunSession(
        directory=directory,
        bundle=options.bundle,
        run=describe_run(args, state, trainer),
        checkpoints=Checkpoints(output_dir, args.save_total_limit, resumed_from),
        archive=_archive(options.snapshots, directory.path, containment),
        rollouts=RolloutReader(output_dir) if getattr(args, "log_completions", False) else None,
        watch=DeathWatch(options.watch, directory.path, output_dir),
        stop_policy=options.stop_policy,
        face=live_face(),
        sinks=_sinks(options, args),
        containment=containment,
    )


def _archive(
    plan: SnapshotPlan | None, folder: Path, containment: Containment
) -> SnapshotArchive | None:
    return SnapshotArchive(folder, plan, containment) if plan is not None else None


def _sinks(options: SessionOptions, args: TrainingArguments) -> dict[str, Sink]:
    sinks: dict[str, Sink] = {"structured log": standard_log()}
    if options.log_json:
        sinks["JSON log"] = json_log(sys.stderr)
    if options.webhook is not None:
        sinks["webhook"] = Webhook(options.webhook)
    return {**sinks, **tracker_sinks(args.report_to, calling_trainer())}


def _open_directory(wanted: Path, step: int, containment: Containment) -> RunDirectory:
    found = containment.run("resume", find_run_directory, wanted, step) if step > 0 else None
    return found or claim_run_directory(wanted)
