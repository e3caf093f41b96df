"""Rows in canonical terms: renamed and derived metrics, evaluation twins, signals, duplicates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.profile import load_profile

LoadRules = Callable[..., tuple[Rule, ...]]
Tell = Callable[[Iterable[Event]], list[str]]


def _canonical(row: Mapping[str, Any], trainer: str = "dpo", **configuration: Any) -> Row:
    return Canonicalizer(load_profile(trainer), configuration).canonical(admit(row))


@pytest.mark.parametrize(
    ("row", "configuration", "added"),
    [
        ({"rewards/accuracies": 0.5}, {}, {"win_rate": 0.5}),
        ({"eval_rewards/accuracies": 0.5}, {}, {"eval_win_rate": 0.5}),
        (
            {"rewards/margins": 0.5},
            {"beta": 0.1},
            {"reward_margin": 0.5, "reward_margin_nats": 5.0},
        ),
        (
            {"eval_rewards/margins": 0.5},
            {"beta": 0.1},
            {"eval_reward_margin": 0.5, "eval_reward_margin_nats": 5.0},
        ),
        # A canonical name that the producer logs itself is used for what is derived.
        ({"reward_margin": 2.0}, {"beta": 0.5}, {"reward_margin_nats": 4.0}),
        # Where it has no value, a derived metric is not there.
        ({"rewards/margins": 0.5}, {"beta": 0.0}, {"reward_margin": 0.5}),
        ({"rewards/margins": 0.5}, {}, {"reward_margin": 0.5}),
        ({"loss": 0.5}, {"beta": 0.1}, {}),
    ],
)
def test_a_row_gains_its_canonical_and_derived_metrics(
    row: dict[str, float], configuration: dict[str, Any], added: dict[str, float]
) -> None:
    assert _canonical(row, **configuration).values == pytest.approx({**row, **added})


def test_what_a_producer_logs_under_a_canonical_or_derived_name_wins() -> None:
    row = {"rewards/margins": 0.5, "reward_margin": 7.0, "reward_margin_nats": 9.0}
    for order in (row, dict(reversed(row.items()))):
        assert _canonical(order, beta=0.1).values == row


def test_signals_stand_under_both_names_and_nothing_is_derived_from_them() -> None:
    nan, inf = float("nan"), float("inf")
    found = _canonical(
        {"rewards/margins": nan, "eval_rewards/margins": inf, "rewards/accuracies": None, "x": nan},
        beta=0.1,
    )
    assert found.values == {}
    assert found.non_finite.keys() == {
        *("rewards/margins", "reward_margin", "eval_rewards/margins", "eval_reward_margin", "x")
    }
    assert math.isnan(found.non_finite["reward_margin"])
    assert found.non_finite["eval_reward_margin"] == inf
    assert found.missing == {"rewards/accuracies", "win_rate"}


def test_numbers_beside_a_signal_are_renamed_and_derived_all_the_same() -> None:
    found = _canonical({"rewards/margins": 0.5, "grad_norm": float("nan")}, beta=0.1)
    assert found.values == pytest.approx(
        {"rewards/margins": 0.5, "reward_margin": 0.5, "reward_margin_nats": 5.0}
    )
    assert found.non_finite.keys() == {"grad_norm"}


def test_a_row_without_anything_to_add_is_passed_on() -> None:
    row = admit({"loss": 0.5, "word": "text"})
    assert Canonicalizer(load_profile("dpo"), {}).canonical(row) is row


def test_rows_of_the_same_keys_each_have_their_own_values() -> None:
    canonicalizer = Canonicalizer(load_profile("dpo"), {"beta": 0.1})
    for margin in (0.5, 1.0, -2.0):
        row = canonicalizer.canonical(admit({"rewards/margins": margin}))
        assert row.values["reward_margin_nats"] == pytest.approx(10 * margin)


def test_more_shapes_than_are_kept_are_still_read() -> None:
    canonicalizer = Canonicalizer(load_profile("dpo"), {})
    for number in [*range(450), 0, 1]:
        row = canonicalizer.canonical(admit({f"k{number}": 1.0, "rewards/margins": 0.5}))
        assert row.values["reward_margin"] == 0.5


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        # The same row of the same step is one observation, wherever it comes among the others;
        ([(7, {"x": 2}), (7, {"x": 2})], []),
        ([(7, {"x": 2}), (7, {"y": 1}), (7, {"x": 2})], []),
        ([(7, {"x": 2, "y": float("nan")}), (7, {"y": float("nan"), "x": 2})], []),
        # other numbers, signals, texts or keys make another row, and so does another step.
        ([(7, {"x": 2}), (7, {"x": 3})], ["7: a#1 fires"]),
        ([(7, {"x": 2, "y": 1}), (7, {"x": 2, "y": None})], ["7: a#1 fires"]),
        ([(7, {"x": 2, "y": 1}), (7, {"x": 2, "y": float("nan")})], ["7: a#1 fires"]),
        ([(7, {"x": 2}), (7, {"x": 2, "word": "text"})], ["7: a#1 fires"]),
        ([(7, {"x": 2}), (8, {"x": 2})], ["8: a#1 fires"]),
        ([(7, {"y": 2}), (8, {"x": 2}), (9, {"x": 2})], ["9: a#1 fires"]),
        ([(7, {"x": 2}), (8, {"y": 1}), (8, {"x": 2})], ["8: a#1 fires"]),
    ],
)
def test_a_row_that_is_logged_twice_at_its_step_counts_once(
    load_rules: LoadRules, tell: Tell, rows: list[tuple[int, dict[str, Any]]], told: list[str]
) -> None:
    engine = Engine(load_rules("{metric: x, threshold: {above: 1}, for: 2}"), RunDescription())
    events = [event for step, row in rows for event in engine.observe(step, admit(row))]
    assert tell(events) == told
