"""Thresholds at their bounds, relative thresholds, signals, and all / any / not with unknowns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from post_training_toolkit.engine.condition import (
    AllChecks,
    AnyCheck,
    CompiledCondition,
    NotCheck,
)
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.history import History
from post_training_toolkit.engine.limits import limits_of
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.statistics.last import Last
from post_training_toolkit.engine.value_check import ValueCheck
from post_training_toolkit.rules.condition import Comparison
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("threshold", "bad", "good"),
    [
        ("above: 0.3", [0.30000000000000004, 1e300], [0.3, 0.0, -1.0]),
        ("below: 0.3", [0.29999999999999993, -1e300], [0.3, 0.4]),
        ("between: [0.1, 0.3]", [0.1, 0.2, 0.3], [0.09999999999999999, 0.30000000000000004]),
        ("outside: [0.1, 0.3]", [0.09999999999999999, 0.30000000000000004], [0.1, 0.2, 0.3]),
        ("equals: 0.5", [0.5], [0.49999999999999994, 0.5000000000000001]),
        ("equals: 0.5, tolerance: 0.25", [0.25, 0.5, 0.75], [0.2499, 0.7501]),
        ("equals: 0", [0.0, -0.0], [5e-324]),
        ("above: -0.5", [-0.4], [-0.5, -0.6]),
    ],
)
def test_a_value_exactly_at_a_bound(
    story: Story, threshold: str, bad: list[float], good: list[float]
) -> None:
    """It is not above or below the bound, and it is inside an interval."""
    rule = f"{{metric: x, threshold: {{{threshold}}}}}"
    for value in bad:
        assert story(rule, rows=[{"x": value}]) == ["1: a#1 fires"], value
    for value in good:
        assert story(rule, rows=[{"x": value}]) == [], value


def _fired(rule: Rule, values: Sequence[float | None], planned: int = 100) -> list[InsightFired]:
    """Give one value a step; None leaves the metric out."""
    engine = Engine([rule], RunDescription(max_steps=planned, logging_steps=1))
    events = [
        event
        for step, value in enumerate(values, start=1)
        for event in engine.observe(step, admit({} if value is None else {"x": value}))
    ]
    return [event for event in events if isinstance(event, InsightFired)]


@pytest.mark.parametrize(
    ("threshold", "values", "step", "value", "reference", "ratio"),
    [
        # The median of the first five logs, as soon as there are five.
        ("above: 2, relative_to: baseline", [1, 9, 2, 2, 2.5, 5], 6, 5.0, 2.0, 2.5),
        ("above: 2, relative_to: baseline", [1, 1, 1, 1, 3], 5, 3.0, 1.0, 3.0),
        ("below: 0.5, relative_to: baseline", [4, 4, 4, 4, 4, 2, 1.5], 7, 1.5, 4.0, 0.375),
        # The best so far is the highest for below and the lowest for above.
        ("below: 0.5, relative_to: running_best", [1, 4, 2, 1.5], 4, 1.5, 4.0, 0.375),
        ("above: 2, relative_to: running_best", [4, 1, 2, 2.5], 4, 2.5, 1.0, 2.5),
        # Another statistic leaves the newest value out, or a spike would raise what it is held to.
        (
            "above: 3, relative_to: {statistic: mean, window: 2}",
            [2, 4, 9, 90],
            4,
            90,
            6.5,
            90 / 6.5,
        ),
        ("above: 3, relative_to: {statistic: last}", [2, 6, 19], 3, 19.0, 6.0, 19 / 6),
        ("between: [2, 3], relative_to: {statistic: last}", [1, 1.5, 4, 10], 3, 4.0, 1.5, 4 / 1.5),
    ],
)
def test_a_relative_threshold_compares_the_ratio_to_its_reference(
    load_rules: LoadRules,
    threshold: str,
    values: list[float],
    step: int,
    value: float,
    reference: float,
    ratio: float,
) -> None:
    (rule,) = load_rules(f"{{metric: x, threshold: {{{threshold}}}}}")
    first = _fired(rule, values)[0]
    assert (first.step, first.value, first.reference) == (step, value, reference)
    assert first.ratio == ratio


@pytest.mark.parametrize(
    ("threshold", "values"),
    [
        # Exactly at the ratio is neither above nor below it.
        ("above: 2, relative_to: baseline", [2, 2, 2, 2, 2, 4]),
        ("below: 0.5, relative_to: running_best", [8, 4]),
        # Nothing to compare with yet.
        ("above: 2, relative_to: baseline", [1, 1, 1, 9]),
        ("above: 2, relative_to: {statistic: mean, window: 3}", [1, 1, 9]),
        # A reference of zero gives no ratio.
        ("above: 2, relative_to: baseline", [0, 0, 0, 0, 0, 5]),
        ("below: 2, relative_to: {statistic: last}", [0, 5]),
        # Small references are not judged, on either side of zero.
        ("below: 0.3, relative_to: running_best, reference_at_least: 5", [1, 4.9, 0.1]),
        ("above: 3, relative_to: baseline, reference_at_least: 2", [-1, -1, -1, -1, -1, -9]),
    ],
)
def test_a_relative_threshold_is_silent_without_a_reference_worth_the_name(
    load_rules: LoadRules, threshold: str, values: list[float]
) -> None:
    (rule,) = load_rules(f"{{metric: x, threshold: {{{threshold}}}}}")
    assert _fired(rule, values) == []


def test_a_ratio_to_a_negative_reference_is_not_judged(load_rules: LoadRules) -> None:
    """It would turn round: what grows away from a negative level has a growing ratio too."""
    threshold = "{above: 3, relative_to: baseline, reference_at_least: 2}"
    (rule,) = load_rules(f"{{metric: x, threshold: {threshold}}}")
    assert [each.ratio for each in _fired(rule, [2, 2, 2, 2, 2, 7])] == [3.5]
    assert _fired(rule, [-2, -2, -2, -2, -2, -7]) == []


@pytest.mark.parametrize(
    ("threshold", "values", "step", "reference", "difference"),
    [
        ("below: -3, difference_from: baseline", [-2, -2, -2, -2, -2, -5, -5.5], 7, -2.0, -3.5),
        ("above: 1, difference_from: running_best", [4, -1, -0.5, 0.5], 4, -1.0, 1.5),
        ("above: 3, difference_from: {statistic: last}", [2, 5, 9], 3, 5.0, 4.0),
        ("equals: 0, difference_from: {statistic: last}", [0, 2, 2], 3, 2.0, 0.0),
    ],
)
def test_a_difference_is_judged_at_any_level(
    load_rules: LoadRules,
    threshold: str,
    values: list[float],
    step: int,
    reference: float,
    difference: float,
) -> None:
    (rule,) = load_rules(f"{{metric: x, threshold: {{{threshold}}}}}")
    first = _fired(rule, values)[0]
    assert (first.step, first.reference, first.difference) == (step, reference, difference)
    assert first.ratio is None


def test_the_best_is_that_of_the_statistic_and_not_of_the_metric(load_rules: LoadRules) -> None:
    """A single lucky value is no best that a mean can fall from."""
    threshold = "{below: 0.5, relative_to: running_best}"
    (rule,) = load_rules(f"{{metric: x, statistic: mean, window: 2, threshold: {threshold}}}")
    assert _fired(rule, [2, 2, 100, 2, 60, 60]) == []
    [fired] = _fired(rule, [2, 2, 100, 2, 2, 60])
    assert (fired.step, fired.value, fired.reference) == (5, 2.0, 51.0)


@pytest.mark.parametrize(
    ("kind", "bad", "good"),
    [
        ("non_finite", [float("nan"), float("inf"), float("-inf"), "NaN"], [0.0, None, "text"]),
        ("missing", [None], [0.0, float("nan"), "text"]),
    ],
)
def test_signals_are_told_from_values_and_from_each_other(
    story: Story, kind: str, bad: list[object], good: list[object]
) -> None:
    rule = f"{{metric: x, threshold: {{{kind}: true}}}}"
    for value in bad:
        assert story(rule, rows=[{"x": value}]) == ["1: a#1 fires"], value
    for value in good:
        assert story(rule, rows=[{"x": value}, {}, {"other": 1}]) == [], value


def _check(value: float | None) -> ValueCheck:
    """Make a check that is true for 1, false for 0 and unknown for None."""
    statistic = Last()
    if value is not None:
        statistic.update(value)
    limits = limits_of(Comparison.ABOVE, 0.5, 0.5, "above 0.5")
    return ValueCheck("x", None, limits, 1, statistic, History(), 1)


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (1, 1, True, True),
        (1, 0, False, True),
        (1, None, None, True),
        (0, 1, False, True),
        (0, 0, False, False),
        (0, None, False, False),
        (None, 1, None, True),
        (None, 0, False, False),
        (None, None, None, None),
    ],
)
def test_all_and_any_wait_only_for_what_can_still_change_their_answer(
    left: float | None, right: float | None, both: bool | None, either: bool | None
) -> None:
    """``all`` is false as soon as one part is, ``any`` true as soon as one part is.

    ``any`` of a false and an unknown part is false: a metric that is never logged does not keep
    the others from resolving.
    """
    row = Row({}, {}, frozenset(), {})
    assert AllChecks((_check(left), _check(right))).evaluate(1, row) is both
    assert AnyCheck((_check(left), _check(right))).evaluate(1, row) is either


@pytest.mark.parametrize(("part", "turned"), [(1, False), (0, True), (None, None)])
def test_not_turns_an_answer_round_and_keeps_unknown(
    part: float | None, turned: bool | None
) -> None:
    condition: CompiledCondition = NotCheck(_check(part))
    assert condition.evaluate(1, Row({}, {}, frozenset(), {})) is turned


def test_every_part_is_judged_although_the_answer_is_clear(story: Story) -> None:
    """A part that is skipped would miss its best value."""
    rule = """
    all:
      - {metric: gate, threshold: {above: 0}}
      - {metric: x, threshold: {below: 0.5, relative_to: running_best}}
    """
    rows = [{"gate": 0, "x": 10}, {"gate": 0, "x": 8}, {"gate": 1, "x": 4}]
    assert story(rule, rows=rows) == ["3: a#1 fires"]


def test_an_insight_speaks_of_the_part_that_holds_as_a_whole(load_rules: LoadRules) -> None:
    """Here a is above its bound all along, but its part of the rule never holds."""
    a, b, c, d = (f"{{metric: {name}, threshold: {{above: 0}}}}" for name in "abcd")
    [rule] = load_rules(f"{{any: [{{all: [{a}, {b}]}}, {{all: [{c}, {d}]}}]}}")
    engine = Engine([rule], RunDescription())
    rows = [{"a": 1, "b": 0, "c": 0, "d": 0}, {"a": 1, "b": 0, "c": 2, "d": 3}]
    events = [
        event for step, row in enumerate(rows, 1) for event in engine.observe(step, admit(row))
    ]
    [fired] = [event for event in events if isinstance(event, InsightFired)]
    assert (fired.step, fired.metric, fired.value) == (2, "c", 2)
