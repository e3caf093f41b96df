"""Record the runs of the zoo: `python benchmarks/zoo/record.py --help`."""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

# TRL reports usage to the Hugging Face hub unless it is told to stay offline before its import.
os.environ["HF_HUB_OFFLINE"] = "1"
# On models this small a second thread only waits for the first.
os.environ["OMP_NUM_THREADS"] = "1"
# The corpus and the tiny model are those of the demo.
sys.path.append(str(Path(__file__).resolve().parents[2] / "demo" / "scripts"))

from importlib.metadata import version

from all_runs import all_runs
from builders import trainer_builder
from specification import RunSpecification
from tqdm import tqdm

_OUTPUT = Path(__file__).parent / "runs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what the options choose; 1 if a run could not be recorded."""
    options = _parse_arguments(arguments)
    chosen = [
        each
        for each in all_runs()
        if fnmatch.fnmatch(each.folder, options.only)
        and options.split in (each.split, "both")
        and (each.trainer == "ppo") == _has_ppo()
    ]
    print(f"recording {len(chosen)} runs with TRL {version('trl')}", file=sys.stderr)
    failed = {}
    record = partial(record_run, output=options.output)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        started = {pool.submit(record, each): each for each in chosen}
        for done in tqdm(as_completed(started), total=len(started), unit="run"):
            error = done.exception()
            if error is not None:
                failed[started[done].folder] = error
    for name, error in failed.items():
        print(f"{name} was not recorded: {type(error).__name__}: {error}", file=sys.stderr)
    return 1 if failed else 0


def record_run(specification: RunSpecification, output: Path) -> None:
    """Train the run of a specification and write its folder below ``output``."""
    import datasets
    import torch
    from faults import inject
    from recorder import Recorder
    from transformers import logging
    from transformers.trainer_callback import PrinterCallback

    torch.set_num_threads(1)
    # One bar for all runs is enough.
    datasets.disable_progress_bars()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    warnings.simplefilter("ignore")
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = trainer_builder(specification.trainer)(specification, scratch)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(recorder)
        if specification.fault is not None:
            inject(trainer, specification.fault)
        error: Exception | None = None
        try:
            trainer.train()
        except (RuntimeError, ValueError) as raised:
            # What a training script would die of; the run's labels say whether it was meant to.
            error = raised
    recorder.end(trainer.state.global_step, error)
    ended = "completed" if error is None else f"{type(error).__name__}: {error}"
    folder = output / specification.split / specification.folder
    recorder.write(folder, specification, trainer.args, ended)
    if error is not None and "crash" not in specification.expected:
        raise error


def _has_ppo() -> bool:
    """Return whether the installed TRL is one of those that still have PPOTrainer."""
    major, minor = version("trl").split(".")[:2]
    return (int(major), int(minor)) <= (1, 12)


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Record the runs of the zoo with real trainers. With TRL 1.12 PPO's runs are"
        " recorded, with later releases all others.",
        epilog="example: python benchmarks/zoo/record.py --only 'dpo-*' --split tuning",
    )
    parser.add_argument("--only", default="*", help="the runs whose name matches, as dpo-lr-*")
    parser.add_argument("--split", choices=["tuning", "judging", "both"], default="both")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
