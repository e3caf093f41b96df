"""Insights are scored by the labels of their run: right, too early, unfitting, low, too late."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from post_training_toolkit.engine.backtest_score import ScoredRun, Verdict, score_run
from post_training_toolkit.engine.backtest_totals import mode_scores, rule_scores, totals
from post_training_toolkit.engine.event import (
    Episode,
    InsightClosed,
    InsightEscalated,
    InsightFired,
)
from post_training_toolkit.engine.labelled_run import Labels, Match
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.sources import default_sources

STEPS = range(2, 42, 2)
SPIKE = Labels("bad_batch", 10, ("loss_spike",), acceptable=("gradient_instability",))
BOTH = Labels("ruined", 10, ("loss_spike", "policy_drift"))


def _episode(
    step: int,
    *detects: str,
    severity: Severity = Severity.HIGH,
    rule: str = "a",
    escalated: Severity | None = None,
) -> Episode:
    """Make an episode that fired at a step and held two steps more."""
    empty = {field.name: None for field in dataclasses.fields(InsightFired)}
    fired = InsightFired(
        **{  # type: ignore[arg-type]
            **empty,
            "insight": f"{rule}#{step}",
            "rule": rule,
            "severity": severity,
            "step": step,
            "detects": detects or ("loss_spike",),
        }
    )
    closed = InsightClosed(fired.insight, rule, severity, step + 2, step, step + 2, 2, None, True)
    worse = None
    if escalated is not None:
        blank = {field.name: None for field in dataclasses.fields(InsightEscalated)}
        worse = InsightEscalated(**{**blank, "severity": escalated, "step": step + 1})  # type: ignore[arg-type]
    return Episode(fired, escalated=worse, closed=closed)


def _score(labels: Labels, *found: Episode, steps: Sequence[int] = STEPS) -> ScoredRun:
    return score_run("run", "dpo", labels, steps, found)


def _rules(*ids: str) -> list[Rule]:
    rule = load_bundle(default_sources()).rules[0]
    return [dataclasses.replace(rule, id=each, detects=("loss_spike",)) for each in ids]


@pytest.mark.parametrize(
    ("labels", "episode", "verdict"),
    [
        (SPIKE, _episode(10), Verdict.RIGHT),
        (SPIKE, _episode(9), Verdict.TOO_EARLY),
        (SPIKE, _episode(10, "gradient_instability"), Verdict.RIGHT),
        (SPIKE, _episode(10, "overfitting"), Verdict.UNFITTING),
        (SPIKE, _episode(10, "overfitting", "loss_spike"), Verdict.RIGHT),
        (Labels(None), _episode(10), Verdict.HEALTHY),
        (Labels(None, acceptable=("loss_spike",)), _episode(10), Verdict.HEALTHY),
        (Labels("vague", 0, (), acceptable=("loss_spike",)), _episode(2), Verdict.RIGHT),
        (Labels("vague", 0), _episode(2), Verdict.UNFITTING),
    ],
)
def test_an_insight_is_right_from_the_onset_on_if_one_of_its_modes_fits(
    labels: Labels, episode: Episode, verdict: Verdict
) -> None:
    [insight] = _score(labels, episode).insights
    assert insight.verdict is verdict
    assert insight.is_false_alarm is (verdict is not Verdict.RIGHT)


def test_what_is_expected_is_found_by_the_first_right_insight() -> None:
    run = _score(SPIKE, _episode(20), _episode(14), _episode(4))
    assert (run.delays, run.missed) == ({"loss_spike": 2}, ())
    assert [each.step for each in run.insights] == [4, 14, 20]


def test_an_insight_at_the_onset_has_no_delay_and_steps_without_a_log_count_for_nothing() -> None:
    assert _score(SPIKE, _episode(10)).delays == {"loss_spike": 0}
    assert _score(SPIKE, _episode(40), steps=[2, 10, 40]).delays == {"loss_spike": 1}


def test_an_insight_from_before_the_onset_finds_nothing() -> None:
    run = _score(SPIKE, _episode(8))
    assert (run.delays, run.missed, run.finds, run.misses) == ({}, ("loss_spike",), 0, 1)


def test_an_acceptable_mode_finds_nothing() -> None:
    assert _score(SPIKE, _episode(10, "gradient_instability")).missed == ("loss_spike",)


def test_every_expected_mode_counts_where_all_are_expected() -> None:
    run = _score(BOTH, _episode(12))
    assert (run.delays, run.missed) == ({"loss_spike": 1}, ("policy_drift",))
    assert (run.finds, run.misses) == (1, 1)


def test_one_mode_is_enough_where_any_is_expected() -> None:
    labels = dataclasses.replace(BOTH, match=Match.ANY)
    run = _score(labels, _episode(12))
    assert (run.missed, run.finds, run.misses) == ((), 1, 0)
    run = _score(labels, _episode(12, "policy_drift", "loss_spike"))
    assert (run.finds, run.misses) == (1, 0)
    run = _score(labels)
    assert (run.missed, run.finds, run.misses) == (("loss_spike", "policy_drift"), 0, 1)


def test_low_insights_find_nothing_and_are_no_false_alarms() -> None:
    run = _score(SPIKE, _episode(10, severity=Severity.LOW), _episode(2, severity=Severity.LOW))
    assert run.missed == ("loss_spike",)
    assert [each.is_false_alarm for each in run.insights] == [False, False]
    assert (totals([run]).false_alarms, totals([run]).low) == (0, 2)


def test_the_highest_severity_that_an_insight_reached_counts() -> None:
    run = _score(SPIKE, _episode(10, severity=Severity.LOW, escalated=Severity.MEDIUM))
    assert run.delays == {"loss_spike": 0}
    assert run.insights[0].severity is Severity.MEDIUM


def test_an_insight_knows_where_it_held_last() -> None:
    assert _score(SPIKE, _episode(10)).insights[0].last_step == 12


def test_the_score_of_a_rule_is_that_of_its_insights() -> None:
    runs = [
        _score(SPIKE, _episode(10), _episode(20), _episode(4), _episode(12, rule="b")),
        _score(Labels(None), _episode(10), _episode(12, severity=Severity.LOW)),
    ]
    a, b, c = rule_scores(runs, _rules("a", "b", "c"))
    assert (a.fired, a.right, a.false_alarms, a.low, a.delay) == (4, 2, 2, 1, 2.5)
    assert (b.fired, b.right, b.delay) == (1, 1, 1)
    assert (c.fired, c.low, c.delay) == (0, 0, None)


def test_the_score_of_a_mode_is_over_the_runs_that_expect_it() -> None:
    any_of = dataclasses.replace(BOTH, match=Match.ANY)
    runs = [_score(BOTH, _episode(14)), _score(any_of, _episode(10)), _score(SPIKE)]
    spike, drift = mode_scores(runs, _rules("a"))
    assert (drift.expected, drift.found, drift.missed, drift.has_rule) == (2, 0, 1, False)
    assert (spike.expected, spike.found, spike.missed, spike.has_rule) == (3, 2, 1, True)
    assert (drift.delay, spike.delay) == (None, 1)


def test_the_totals_add_everything_up() -> None:
    runs = [
        _score(BOTH, _episode(14), _episode(2)),
        _score(Labels(None), _episode(10)),
        _score(Labels(None)),
    ]
    sums = totals(runs)
    assert (sums.runs, sums.healthy_runs, sums.steps, sums.healthy_steps) == (3, 2, 60, 40)
    assert (sums.found, sums.to_find, sums.detection, sums.delay) == (1, 2, 0.5, 2)
    assert (sums.false_alarms, sums.false_alarms_in_healthy_runs) == (2, 1)
    assert sums.false_alarms_per_1000_healthy_steps == 25


def test_no_runs_have_no_rates() -> None:
    sums = totals([])
    assert (sums.detection, sums.false_alarms_per_1000_healthy_steps) == (None, None)
