"""The zoo holds what its tables say, and its scripts really train and record."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from all_runs import all_runs

from post_training_toolkit.engine.labelled_run import find_labelled_runs, read_labelled_run
from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import default_sources

ZOO = Path(__file__).parents[1] / "benchmarks" / "zoo"
RECORDINGS = ZOO / "runs"


def test_no_two_runs_have_one_name() -> None:
    names = Counter((each.split, each.folder) for each in all_runs())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_halves_share_no_seed_of_a_run() -> None:
    seeds = {
        split: {(run.trainer, run.arguments["seed"]) for run in all_runs() if run.split == split}
        for split in ("tuning", "judging")
    }
    assert seeds["tuning"].isdisjoint(seeds["judging"])


def test_some_rule_can_say_what_is_expected() -> None:
    expected = {mode for run in all_runs() for mode in run.expected}
    detected = {mode for rule in load_bundle(default_sources()).rules for mode in rule.detects}
    # No row says that a run will die; its end does.
    assert expected - detected <= {"crash"}


@pytest.mark.parametrize("split", ["tuning", "judging"])
def test_what_is_recorded_is_what_the_tables_say(split: str) -> None:
    recorded = {folder.name for folder in find_labelled_runs(RECORDINGS / split)}
    assert recorded == {run.folder for run in all_runs() if run.split == split}


def test_the_labels_of_a_recording_are_those_of_its_table() -> None:
    for run in all_runs():
        path = RECORDINGS / run.split / run.folder / "run.yaml"
        recorded = yaml.safe_load(path.read_text())
        told = [recorded[key] for key in ("expected", "match", "acceptable", "description")]
        labels = [list(run.expected), run.match, list(run.acceptable), run.description]
        assert told == labels, f"{path}: record the run anew"


def test_every_recording_reads_and_the_whole_is_small() -> None:
    folders = [
        *find_labelled_runs(RECORDINGS / "tuning"),
        *find_labelled_runs(RECORDINGS / "judging"),
    ]
    for folder in folders:
        rows = [
            each for each in read_labelled_run(folder).read().entries if isinstance(each, LoggedRow)
        ]
        assert len(rows) >= 15, folder
    assert sum(path.stat().st_size for path in RECORDINGS.rglob("*")) < 8e6


@pytest.mark.parametrize("name", ["sft-nan-loss", "dpo-lr-tiny", "grpo-constant-reward"])
def test_a_run_is_really_trained_and_recorded(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ZOO / "record.py"), "--only", name, "--split", "tuning"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = read_labelled_run(tmp_path / "tuning" / name)
    recorded = read_labelled_run(RECORDINGS / "tuning" / name)
    assert run.labels == recorded.labels
    steps = [[each.step for each in one.read().entries] for one in (run, recorded)]
    assert steps[0] == steps[1]
