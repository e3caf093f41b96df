"""The metric catalogue agrees with what the recorded runs of every trainer logged."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from post_training_toolkit.engine.labelled_run import find_labelled_runs, read_labelled_run
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers
from post_training_toolkit.rules.profile import EVAL_PREFIX

RUNS = Path(__file__).parent.parent / "benchmarks" / "zoo" / "runs"


@cache
def _logged_keys() -> dict[str, dict[str, str]]:
    """Return, by trainer, every key that a run logged, with the name of one such run."""
    logged: dict[str, dict[str, str]] = {}
    for folder in sorted(RUNS.glob("*")):
        for run in map(read_labelled_run, find_labelled_runs(folder)):
            keys = logged.setdefault(str(run.given.trainer), {})
            for entry in read_metrics(run.log):
                if isinstance(entry, LoggedRow):
                    keys |= dict.fromkeys(entry.row.to_json(), f"{folder.name}/{run.name}")
    return logged


def _keys_of(trainer: str) -> dict[str, str]:
    keys = _logged_keys().get(trainer, {})
    if not keys:
        pytest.skip(f"no run of {trainer} is recorded")
    return keys


def _is_logged(entry: str, keys: dict[str, str]) -> bool:
    return any(fnmatchcase(key, entry) for key in keys)


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_every_key_that_a_run_logged_is_catalogued(trainer: str) -> None:
    entries = catalogue(trainer)
    unknown = {
        key: run
        for key, run in _keys_of(trainer).items()
        if not any(
            fnmatchcase(name, entry) for entry in entries for name in (key, _without_prefix(key))
        )
    }
    assert unknown == {}


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_what_is_always_logged_according_to_the_catalogue_is_logged(trainer: str) -> None:
    keys = _keys_of(trainer)
    always = [key for key, entry in catalogue(trainer).items() if entry.when is None]
    assert [key for key in always if not _is_logged(key, keys)] == []


def test_every_recorded_trainer_is_catalogued() -> None:
    if not _logged_keys():
        pytest.skip("no run is recorded")
    assert set(_logged_keys()) <= catalogued_trainers()


def _without_prefix(key: str) -> str:
    return key.removeprefix(EVAL_PREFIX)
