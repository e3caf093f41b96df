"""A run that is replayed from its files tells what it told live, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event, InsightFired, InsightFolded
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    MetricsFileError,
    Milestone,
    metrics_line,
    read_metrics,
)
from post_training_toolkit.engine.replay import (
    RunDirectoryError,
    read_recorded_rules,
    read_run_description,
    replay,
    replay_run_directory,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import default_sources

LoadRules = Callable[..., tuple[Rule, ...]]

DPO = RunDescription(
    "dpo",
    {
        "beta": 0.1,
        "loss_type": ["sigmoid"],
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "world_size": 1,
    },
    max_steps=60,
    logging_steps=1,
)
OWN_RULES = (
    "{metric: loss, statistic: mean, window: 3, threshold: {below: 0.5}, keep_firing_for: 1}",
    "{metric: loss, statistic: std, window: 4, threshold: {above: 0.3}, keep_firing_for: 1}",
    "{metric: win_rate, threshold: {equals: 0.3}, keep_firing_for: 1}",
    "{metric: grad_norm, threshold: {non_finite: true}, keep_firing_for: 2}",
    "{metric: reward_margin, threshold: {above: 2, relative_to: baseline}, keep_firing_for: 1}",
    "{metric: reward_margin, threshold: {missing: true}, keep_firing_for: 1}",
)
quantised = st.integers(0, 8).map(lambda k: k / 8) | st.integers(0, 10).map(lambda k: k / 10)
dirty = quantised | st.sampled_from([float("nan"), float("inf"), None, True, 3, "text"])
rows = st.fixed_dictionaries(
    {"loss": quantised | st.just(float("nan"))},
    optional={
        "rewards/accuracies": dirty,
        "rewards/margins": dirty,
        "rewards/chosen": dirty,
        "grad_norm": dirty,
        "eval_loss": quantised,
    },
)


def _live(
    rules: tuple[Rule, ...], run: RunDescription, logged: list[Mapping[str, Any]]
) -> list[Event]:
    containment = Containment()
    engine = Engine(rules, run, containment)
    events: list[Event] = []
    for step, row in enumerate(logged, start=1):
        events += engine.observe(step, admit(row))
    # A rule that failed on both sides would be equal too.
    assert containment.failures == {}
    return [*events, *engine.finish(len(logged))]


def _metrics(logged: list[Mapping[str, Any]]) -> bytes:
    entries: list[MetricsEntry] = [
        Milestone("train_begin", 0, 60),
        *(LoggedRow(step, None, admit(row)) for step, row in enumerate(logged, start=1)),
        Milestone("train_end", len(logged)),
    ]
    return b"".join(map(metrics_line, entries))


def test_the_rules_of_this_file_do_fire(load_rules: LoadRules) -> None:
    """Otherwise the equality below would compare nothing."""
    logged: list[Mapping[str, Any]] = [
        {
            "loss": (step * 7 % 9) / 8,
            "rewards/accuracies": (step % 11) / 10,
            "rewards/margins": None if step % 7 == 0 else (step % 9) / 8,
            "grad_norm": float("nan") if step % 11 == 3 else 1.0,
        }
        for step in range(40)
    ]
    fired = {event.rule for event in _live(load_rules(*OWN_RULES), DPO, logged)}
    assert fired == set("abcdef")


@given(st.lists(rows, min_size=10, max_size=60))
@settings(max_examples=80, deadline=None)
def test_live_equals_replay_to_the_byte(
    load_rules: LoadRules,
    tmp_path_factory: pytest.TempPathFactory,
    logged: list[Mapping[str, Any]],
) -> None:
    """On accuracies that sit exactly on thresholds, and with NaN, infinities and nulls between."""
    rules = (*load_rules(*OWN_RULES), *load_bundle(default_sources()).rules)
    path = tmp_path_factory.getbasetemp() / "replayed.jsonl"
    path.write_bytes(_metrics(logged))
    replayed = list(map(insight_line, replay(read_metrics(path), Engine(rules, DPO))))
    assert replayed == list(map(insight_line, _live(rules, DPO, logged)))


LOGGED: list[Mapping[str, Any]] = [
    *[{"loss": 0.6931, "grad_norm": 1.0, "rewards/margins": 0.0}] * 40,
    *[{"loss": 0.0, "grad_norm": float("nan"), "rewards/margins": float("nan")}] * 5,
]


def test_a_run_directory_is_all_that_a_replay_needs(write_run: Callable[..., Path]) -> None:
    folder = write_run(DPO, LOGGED)
    live = (folder / "insights.jsonl").read_bytes()
    told = [event.insight for event in read_insights(folder / "insights.jsonl")]
    # Each fires, and is still firing at the end.
    assert (told.count("dpo_loss_random#1"), told.count("nan_hidden_by_filter#1")) == (2, 2)
    assert b"".join(map(insight_line, replay_run_directory(folder))) == live


def test_the_rules_as_they_were_then_decide(write_run: Callable[..., Path]) -> None:
    """Overrides are kept with the run, and an extends is not read anew."""
    own = (
        b"version: 1\nextends: [pack:default]\noverrides:\n"
        b"  - {id: dpo_loss_random, severity: low, reason: known}\n"
        b"  - {id: nan_hidden_by_filter, disable: true, reason: known}\n"
    )
    folder = write_run(DPO, LOGGED, own_rules=own)
    events = list(replay_run_directory(folder))
    told = [event for event in events if event.rule == "dpo_loss_random"]
    assert [event.severity for event in told if not isinstance(event, InsightFolded)] == [
        "low",
        "low",
    ]
    assert "nan_hidden_by_filter" not in {event.rule for event in events}
    kept = [path.name for path in sorted((folder / "rules").iterdir())]
    # A pack comes after those it extends, the run's own file last.
    packs = [source.name.removeprefix("pack:") for source in default_sources()]
    assert sorted(name[4:] for name in kept) == sorted(f"{name}.yaml" for name in [*packs, "own"])
    assert [name[:4] for name in kept] == [f"{number:03}-" for number in range(1, len(kept) + 1)]
    assert kept[-1].endswith("-own.yaml")
    assert len(read_recorded_rules(folder).sources) == len(packs) + 1


def test_a_run_that_was_killed_leaves_its_episodes_open(write_run: Callable[..., Path]) -> None:
    folder = write_run(DPO, LOGGED)
    metrics = folder / "metrics.jsonl"
    whole = metrics.read_bytes()
    torn = whole[: whole.index(b'{"event":"train_end"') - 5]
    metrics.write_bytes(torn)
    events = list(replay_run_directory(folder))
    assert {"dpo_loss_random", "nan_hidden_by_filter"} <= {event.rule for event in events}
    assert all(isinstance(event, InsightFired) for event in events)


def test_the_description_of_a_recorded_run_is_the_one_of_the_live_run(
    write_run: Callable[..., Path],
) -> None:
    assert read_run_description(write_run(DPO, LOGGED)) == DPO


@pytest.mark.parametrize("missing", ["metrics.jsonl", "run_metadata_start.json", "rules"])
def test_a_folder_without_one_of_its_files_is_no_run_directory(
    write_run: Callable[..., Path], missing: str
) -> None:
    folder = write_run(DPO, LOGGED)
    (folder / missing).rename(folder / "elsewhere")
    with pytest.raises(RunDirectoryError) as caught:
        list(replay_run_directory(folder))
    assert str(caught.value) == f"{folder} is no run directory: it has no {missing}"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("run_metadata_start.json", "", RunDirectoryError, "json is no start metadata"),
        ("run_metadata_start.json", "{}", RunDirectoryError, "(KeyError: 'trainer')"),
        ("run_metadata_start.json", "[1]", RunDirectoryError, "json is no start metadata"),
        ("metrics.jsonl", "{}\n", MetricsFileError, "metrics.jsonl:1: no metrics line"),
        (
            "rules/001-common.yaml",
            "rules: 5",
            InvalidRulesError,
            "001-common.yaml:1:8: 'rules' must",
        ),
    ],
)
def test_a_broken_file_is_named(
    write_run: Callable[..., Path], name: str, text: str, error: type[Exception], message: str
) -> None:
    folder = write_run(DPO, LOGGED)
    (folder / name).write_text(text)
    with pytest.raises(error) as caught:
        list(replay_run_directory(folder))
    assert str(folder) in str(caught.value)
    assert message in str(caught.value)


def test_a_rules_folder_without_rules_is_named(write_run: Callable[..., Path]) -> None:
    folder = write_run(DPO, LOGGED)
    for path in (folder / "rules").iterdir():
        path.unlink()
    with pytest.raises(RunDirectoryError, match=r"no \.yaml file in folder"):
        list(replay_run_directory(folder))
