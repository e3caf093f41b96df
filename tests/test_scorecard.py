"""The scorecard sums up rightly, fits thresholds rightly, and its files name the shipped rules."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from benchmarks.scorecard.contender import NAIVE_RULES, SHIPPED
from benchmarks.scorecard.headline import headline, is_detected
from benchmarks.scorecard.left_out import best_rule, detected_without, families_of
from benchmarks.scorecard.page import scorecard_page
from benchmarks.scorecard.peer_alert import alert_as_episode
from benchmarks.scorecard.peers import PEERS
from benchmarks.scorecard.refit import FittingRun, fitted_knobs, fitted_positions, refitted
from benchmarks.scorecard.rule_record import rule_figures
from benchmarks.scorecard.run_sets import JUDGING, RUNS, TUNING
from benchmarks.scorecard.trial import Trial
from post_training_toolkit.engine.backtest_knob import find_knobs
from post_training_toolkit.engine.backtest_score import ScoredRun, score_run
from post_training_toolkit.engine.labelled_run import Labels, Match
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.condition import metric_conditions
from post_training_toolkit.rules.figures import RuleFigures, load_figures
from post_training_toolkit.rules.model import Gate, Rule, Source
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.sources import default_sources, read_file

ROOT = Path(__file__).parent.parent
SHIPPED_RULES = load_bundle(default_sources()).rules
HEALTHY = Labels(None)
SPIKE = Labels("bad_data", 10, ("loss_spike",), acceptable=("gradient_instability",))
BOTH = Labels("lr_too_high", 10, ("loss_spike", "policy_drift"))
EITHER = dataclasses.replace(BOTH, match=Match.ANY)
VAGUE = Labels("label_noise", 0, (), acceptable=("loss_spike",))
Alert = tuple[str, int, Severity, tuple[str, ...]]

OWN = """\
version: 1
rules:
  - id: mine
    title: Mine
    trainers: [sft]
    metric: loss
    threshold: {above: 4}
    severity: medium
    escalation: {severity: high, threshold: {above: 40}}
    inhibits: [theirs]
    detects: [loss_spike]
    message: "{value}"
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
  - id: theirs
    title: Theirs
    all:
      - {metric: loss, threshold: {below: 0.5}}
      - {metric: grad_norm, threshold: {above: 0}}
    severity: low
    detects: [overfitting]
    message: "{value}"
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
"""
MINE, THEIRS = load_bundle([Source("own.yaml", OWN.encode())]).rules


def _run(labels: Labels, *alerts: Alert, trainer: str = "sft", logged: int = 100) -> ScoredRun:
    found = (alert_as_episode(who, step, how, what, "") for who, step, how, what in alerts)
    return score_run("a-run", trainer, labels, range(1, logged + 1), found)


def _spike(step: int, rule: str = "mine", severity: Severity = Severity.MEDIUM) -> Alert:
    return (rule, step, severity, ("loss_spike",))


def test_a_run_is_detected_when_what_its_match_asks_for_was_raised() -> None:
    drift = ("theirs", 30, Severity.HIGH, ("policy_drift",))
    runs = [
        _run(BOTH, _spike(12)),  # half of it
        _run(BOTH, _spike(12), drift),
        _run(EITHER, drift),
        _run(EITHER, _spike(9)),  # before the onset
        _run(VAGUE, _spike(9)),  # nothing is expected there
    ]
    sums = headline(runs)
    assert (sums.faulty, sums.to_detect, sums.detected) == (5, 4, 2)
    # Of the modes found: 2, 2 and 20, 20.
    assert sums.delay == 11
    assert (sums.false_in_faulty, sums.false_per_faulty_run) == (1, 0.2)
    assert sums.false_per_1000_healthy_steps is None
    assert [is_detected(run) for run in runs] == [False, True, True, False, False]


def test_false_alarms_of_healthy_runs_are_counted_by_their_logged_steps_from_medium_up() -> None:
    runs = [
        _run(HEALTHY, _spike(5), _spike(6, severity=Severity.HIGH), logged=300),
        _run(HEALTHY, _spike(7, severity=Severity.LOW), logged=200),
        _run(SPIKE, _spike(10), _spike(2, severity=Severity.HIGH), logged=9000),
    ]
    sums = headline(runs)
    assert (sums.healthy, sums.healthy_steps) == (2, 500)
    assert (sums.false_in_healthy, sums.severe_in_healthy, sums.false_in_faulty) == (2, 1, 1)
    assert sums.false_per_1000_healthy_steps == 4
    assert sums.delay == 0


def test_a_rule_is_measured_on_the_runs_of_its_trainers_at_every_severity() -> None:
    low = Severity.LOW
    runs = [
        _run(SPIKE, _spike(14, severity=low), _spike(30)),  # found after 4, and once more
        _run(SPIKE, _spike(20)),  # after 10
        _run(SPIKE, _spike(20, rule="another")),
        _run(SPIKE, _spike(3), trainer="dpo"),  # no trainer of the rule
        _run(VAGUE, _spike(3)),  # right, where nothing is expected
        _run(HEALTHY, _spike(3, severity=low), logged=70),
        _run(HEALTHY, logged=50, trainer="dpo"),
    ]
    assert rule_figures(MINE, runs) == RuleFigures(2, 3, 1, 70, 7)
    assert rule_figures(dataclasses.replace(MINE, gate=Gate()), runs) == RuleFigures(
        2, 4, 2, 120, 7
    )
    assert rule_figures(THEIRS, runs) == RuleFigures(0, 0, 0, 120, None)


def test_what_is_left_without_the_best_rule() -> None:
    runs = [
        _run(BOTH, _spike(12), _spike(13, "theirs"), ("mine", 14, Severity.HIGH, BOTH.expected)),
        _run(EITHER, _spike(12), _spike(12, "theirs")),
        _run(EITHER, _spike(12), _spike(12, "theirs", Severity.LOW)),
    ]
    assert best_rule([THEIRS, MINE], runs) == "mine"
    assert [detected_without("mine", run) for run in runs] == [False, True, False]
    assert all(detected_without("theirs", run) for run in runs)
    # Of equals the first in the packs; nothing that was right is None.
    assert best_rule([THEIRS, MINE], runs[1:2]) == "theirs"
    assert best_rule([THEIRS, MINE], [_run(SPIKE, _spike(3))]) is None
    assert not detected_without(None, _run(SPIKE))


def _position(threshold: float) -> float:
    """Return where the threshold of ``mine`` stands on the scale on which it is turned."""
    [knob] = fitted_knobs(MINE)
    low, high = -knob.reach, knob.reach
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if knob.number(middle) < threshold else (low, middle)
    return high


def _fit(*seen: tuple[Labels, float]) -> float | None:
    """Return the threshold that is fitted for ``mine`` on runs that fall silent at some values."""
    runs = [FittingRun(labels, {"mine.medium.0": _position(at)}) for labels, at in seen]
    positions = fitted_positions([MINE, THEIRS], runs)
    assert set(positions) <= {"mine.medium.0"}
    if not positions:
        return None
    [condition] = metric_conditions(refitted(MINE, positions).condition)
    return condition.threshold.bounds[0].evaluate({})


def test_a_threshold_is_fitted_into_the_middle_of_the_gap() -> None:
    fitted = _fit((HEALTHY, 1), (HEALTHY, 2), (SPIKE, 32), (EITHER, 90), (SPIKE, 1.5))
    assert fitted == pytest.approx(8, rel=1e-3)


def test_a_threshold_keeps_its_distance_from_the_only_side_there_is() -> None:
    unrelated = Labels("overfit", 0, ("overfitting",))
    assert _fit((HEALTHY, 1), (HEALTHY, 2), (unrelated, 32)) == pytest.approx(3, rel=1e-3)
    assert _fit((SPIKE, 32), (SPIKE, 64)) == pytest.approx(32 / 1.5, rel=1e-3)
    assert _fit((unrelated, 32)) is None


def test_a_fitted_rule_has_one_level_and_the_relations_that_it_had() -> None:
    fitted = refitted(MINE, {"mine.medium.0": _position(8), "mine.high.0": 0})
    assert (fitted.id, fitted.inhibits, fitted.escalation) == ("mine", ("theirs",), None)
    assert refitted(MINE, {}) is MINE


def test_only_numbers_that_somebody_chose_are_fitted() -> None:
    derived = dataclasses.replace(MINE, threshold_origin="derivation")
    assert [knob.key for knob in fitted_knobs(MINE)] == ["mine.medium.0"]
    assert fitted_knobs(derived) == []
    # It is low, and so finds nothing that counts.
    assert fitted_knobs(THEIRS) == []
    told = dataclasses.replace(THEIRS, severity=Severity.HIGH)
    # A sign is no number.
    assert [knob.today for knob in fitted_knobs(told)] == [0.5]
    assert [knob.today for knob in find_knobs([told])] == [0.5, 0]


def _trials(runs: Iterable[tuple[str, ScoredRun]]) -> list[Trial]:
    return [Trial(name, Path("runs"), {SHIPPED: run, "naive rules": run}) for name, run in runs]


def test_families_hold_the_runs_in_which_something_is_expected_largest_first() -> None:
    zero = Labels("lr_zero", 0, ("not_learning",))
    labels = [HEALTHY, VAGUE, SPIKE, zero, dataclasses.replace(zero, fault="lr_too_low")]
    families = families_of(_trials((TUNING, _run(each)) for each in labels))
    sizes = {family: len(own) for family, own in families.items()}
    assert list(sizes.items()) == [("learning rate too low", 2), ("bad data", 1)]


def test_the_page_says_what_is_missed_and_what_is_a_false_alarm() -> None:
    runs = [(JUDGING, _run(EITHER)), (TUNING, _run(SPIKE, _spike(4), _spike(15)))]
    page = scorecard_page(_trials(runs), [MINE, THEIRS], [])
    assert "judging: a-run (fault `lr_too_high`): `loss_spike` or `policy_drift`" in page
    assert "tuning: a-run, step 4: `mine` (medium); before the onset" in page
    assert "| judging | shipped rules | 1 / 0 | 0.0 % (0/1) |" in page
    assert "| tuning | shipped rules | 1 / 0 | 100.0 % (1/1) | 5 |" in page
    assert "| `policy_drift` (no rule detects it) | 1 | - | 0/1 | 0/1 | 0/1 |" in page
    assert "| [`mine`](rules/mine.md) | medium to high | 0/1 | 1/1 | 5 | 1 | 0 |" in page


def test_the_naive_rules_are_twelve() -> None:
    assert len(load_bundle([read_file(NAIVE_RULES)], follow_extends=False).rules) == 12


def _modes(rules: Iterable[Rule]) -> set[str]:
    return {mode for rule in rules for mode in rule.detects}


def test_others_may_only_say_what_a_label_can_say() -> None:
    """A slip in a name would cost them detections."""
    text = "\n".join(path.read_text() for path in sorted(RUNS.glob("*/*/run.yaml")))
    if not text:
        pytest.skip("no run is recorded")
    known = set(re.findall(r"\w+", text)) | _modes(SHIPPED_RULES)
    said = _modes(load_bundle([read_file(NAIVE_RULES)], follow_extends=False).rules)
    said |= {mode for peer in PEERS for modes in peer.detects.values() for mode in modes}
    assert said <= known


def test_the_page_and_the_figures_name_every_shipped_rule_and_no_other() -> None:
    """After a change of the packs: make scorecard."""
    shipped = {rule.id for rule in SHIPPED_RULES}
    page = (ROOT / "docs" / "scorecard.md").read_text()
    assert set(re.findall(r"^\| \[`(\w+)`\]\(rules/\1\.md\)", page, re.M)) == shipped
    figures: Mapping[str, set[str]] = {each.title: set(each.rules) for each in load_figures()}
    assert figures
    assert all(rules == shipped for rules in figures.values())


def test_the_scale_of_thresholds_is_a_logarithm() -> None:
    """The middle of a gap is its geometric mean only then."""
    assert _position(32) - _position(8) == pytest.approx(math.log(4), rel=1e-6)
