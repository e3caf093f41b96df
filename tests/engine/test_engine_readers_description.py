"""What a file does not say about its run is taken from the user, or guessed and told."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
)
from post_training_toolkit.engine.readers.choose import open_recording
from post_training_toolkit.engine.readers.description import (
    GivenDescription,
    describe,
    guess_logging_steps,
    guess_trainer,
)
from post_training_toolkit.engine.readers.recording import Recording
from post_training_toolkit.engine.readers.run_arguments import run_from_arguments
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers

NOTHING = GivenDescription()
STATED = RunDescription("dpo", {"beta": 0.1, "world_size": 2}, max_steps=40, logging_steps=5)


def _entries(*steps: int, **logs: Any) -> list[MetricsEntry]:
    return [LoggedRow(step, None, admit(logs or {"loss": 1.0})) for step in steps]


def _recording(entries: Iterable[MetricsEntry], run: RunDescription | None = None) -> Recording:
    return Recording(iter(entries), run or RunDescription())


def test_what_is_stated_is_not_guessed() -> None:
    described = describe(_recording(_entries(5, 10), STATED), NOTHING)
    assert (described.run, described.guesses) == (STATED, ())


def test_what_is_given_wins_over_what_is_stated() -> None:
    given = GivenDescription("sft", {"beta": 0.5}, 80, 10, "1.0.0")
    run = describe(_recording(_entries(5, 10), STATED), given).run
    assert run == RunDescription("sft", {"beta": 0.5, "world_size": 2}, 80, 10, "1.0.0")


def test_the_arguments_that_are_given_state_the_lengths_too() -> None:
    given = GivenDescription("dpo", {"max_steps": 70, "logging_steps": 7})
    run = describe(_recording(_entries(5, 10)), given).run
    assert (run.max_steps, run.logging_steps) == (70, 7)


def test_the_length_that_the_trainer_began_with_wins_over_its_arguments() -> None:
    entries = [Milestone("train_begin", 0, 90), *_entries(1, 2)]
    given = GivenDescription("dpo", {"max_steps": -1, "num_train_epochs": 3})
    assert describe(_recording(entries), given).run.max_steps == 90
    assert describe(_recording(entries), GivenDescription(max_steps=70)).run.max_steps == 70


@pytest.mark.parametrize("length", ["x", 0, -1, 1.5])
def test_a_length_that_is_none_is_left_out(length: Any) -> None:
    entries = [Milestone("train_begin", 0, length), *_entries(1, 2)]
    assert describe(_recording(entries), NOTHING).run.max_steps == 2


def test_everything_that_is_guessed_is_told() -> None:
    described = describe(_recording(_entries(10, 20, 30)), NOTHING)
    assert described.run == RunDescription(None, {}, max_steps=30, logging_steps=10)
    assert described.guesses == (
        "the trainer is not known: only the rules for every trainer apply (give --trainer)",
        "the trainer's arguments are not known: rules that depend on them cannot judge "
        "(give --config)",
        "planned length taken from the last step: 30 (--max-steps if the run ended early)",
        "one log every 10 steps, from the rows",
    )


def test_one_process_is_assumed_where_only_the_batch_is_known() -> None:
    arguments = {"per_device_train_batch_size": 4}
    described = describe(_recording(_entries(1)), GivenDescription("dpo", arguments))
    assert described.run.configuration == {
        **arguments,
        "gradient_accumulation_steps": 1,
        "world_size": 1,
    }
    assert "one process assumed (give world_size in --config)" in described.guesses


def test_an_empty_recording_leaves_everything_open() -> None:
    described = describe(_recording([]), NOTHING)
    assert described.run == RunDescription()
    assert "no row was logged, so there is nothing to judge" in described.guesses


def test_what_was_read_before_a_broken_place_is_kept() -> None:
    def broken() -> Iterable[MetricsEntry]:
        yield from _entries(1, 2)
        raise MetricsFileError("line 3")

    described = describe(_recording(broken()), NOTHING)
    assert ([each.step for each in described.entries], described.broken) == ([1, 2], "line 3")


# RLOO logs nothing that GRPO does not log.
@pytest.mark.parametrize("trainer", sorted(catalogued_trainers() - {"rloo"}))
def test_a_trainer_is_known_by_what_it_always_logs(trainer: str) -> None:
    keys = {key for key, entry in catalogue(trainer).items() if entry.when is None}
    assert guess_trainer({*keys, "my_own_metric"}) == trainer


def test_the_keys_of_rloo_may_be_those_of_grpo() -> None:
    assert guess_trainer(catalogue("rloo")) is None


@pytest.mark.parametrize("keys", [(), ("loss", "grad_norm"), ("loss", "rewards/margins")])
def test_a_few_metrics_leave_the_trainer_open(keys: tuple[str, ...]) -> None:
    assert guess_trainer(keys) is None


def test_no_run_of_the_zoo_is_taken_for_one_of_another_trainer() -> None:
    folders = sorted(Path(os.environ.get("PTT_ZOO", "absent")).glob("*/log.jsonl"))
    if not folders:
        pytest.skip("PTT_ZOO is no folder of labelled runs")
    guesses = {
        path.parent.name: describe(open_recording(path), NOTHING).run.trainer for path in folders
    }
    wrong = {
        name: guess
        for name, guess in guesses.items()
        if guess not in (None, name.partition("-")[0])
    }
    assert wrong == {}
    assert guesses["dpo-healthy-a"] == "dpo"


@pytest.mark.parametrize(
    ("steps", "interval"),
    [((1, 10, 20, 30), 10), ((5,), None), ((), None), ((3, 3, 4, 4, 5), 1), ((9, 2, 4, 6), 2)],
)
def test_the_usual_distance_between_steps_is_the_interval(
    steps: tuple[int, ...], interval: int | None
) -> None:
    assert guess_logging_steps(_entries(*steps)) == interval


@pytest.mark.parametrize(
    ("arguments", "max_steps", "logging_steps"),
    [
        ({"max_steps": -1, "logging_steps": 5}, None, 5),
        ({"max_steps": 50, "logging_steps": 0.05}, 50, 3),
        ({"max_steps": None, "logging_steps": 0.05}, None, None),
        ({"max_steps": 50, "logging_steps": 5, "logging_strategy": "epoch"}, 50, None),
        ({"max_steps": True, "logging_steps": "5"}, None, None),
        ({"max_steps": float("inf"), "logging_steps": float("nan")}, None, None),
    ],
)
def test_the_lengths_are_read_as_the_trainer_means_them(
    arguments: dict[str, Any], max_steps: int | None, logging_steps: int | None
) -> None:
    run = run_from_arguments(arguments)
    assert (run.max_steps, run.logging_steps) == (max_steps, logging_steps)
