"""What a value is set against: ratios and differences to baselines, bests and statistics."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.statistics.registry import build_statistic
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]


def _rule(threshold: str, rest: str = "") -> str:
    return f"{{metric: x, threshold: {{{threshold}}}, keep_firing_for: 1{rest}}}"


def _fired(rule: Rule, values: list[float], metric: str = "x") -> InsightFired:
    engine = Engine([rule], RunDescription())
    events = [
        event
        for step, value in enumerate(values, 1)
        for event in engine.observe(step, admit({metric: value}))
    ]
    [fired] = [event for event in events if isinstance(event, InsightFired)]
    return fired


@pytest.mark.parametrize(
    ("threshold", "values", "steps"),
    [
        # The baseline is the median of the first five here, and never moves.
        ("above: 2, relative_to: baseline", [1, 1, 9, 1, 1, 2, 3], [7]),
        ("below: 0.5, relative_to: baseline", [4, 4, 4, 4, 4, 2, 1], [7]),
        ("above: 2, difference_from: baseline", [-9, -9, -9, -9, -9, -7, -6], [7]),
        ("below: -2, difference_from: baseline", [1, 1, 1, 1, 1, -1, -2], [7]),
        ("outside: [-1, 1], difference_from: baseline", [0, 0, 0, 0, 0, 1, 2, -1, -2], [7, 9]),
        ("equals: 3, difference_from: baseline, tolerance: 0.5", [0, 0, 0, 0, 0, 2, 3.5], [7]),
        # Bad below: the best is the highest; bad above: the lowest.
        ("below: 0.5, relative_to: running_best", [8, 4, 3], [3]),
        ("above: 2, relative_to: running_best", [4, 8, 9], [3]),
        ("below: -3, difference_from: running_best", [-8, -1, -4, -5], [4]),
        ("above: 3, difference_from: running_best", [-8, -5, -4], [3]),
        # A statistic of the same metric is taken before the newest observation.
        ("above: 2, relative_to: {statistic: last}", [1, 2, 5], [3]),
        ("above: 2, difference_from: {statistic: last}", [-5, -3, 0], [3]),
        ("above: 3, relative_to: {statistic: mean, window: 2}", [1, 3, 6, 15], [4]),
        ("above: 1, difference_from: {statistic: max, window: run}", [1, 2, 1, 0, 1, 3, 5], [7]),
    ],
)
def test_what_a_value_is_compared_with(
    story: Story, threshold: str, values: list[float], steps: list[int]
) -> None:
    told = story(_rule(threshold), rows=[{"x": value} for value in values])
    assert [int(line.partition(":")[0]) for line in told if line.endswith("fires")] == steps


@pytest.mark.parametrize("reference", [0.0, -1.0, -1e-300])
@pytest.mark.parametrize("comparison", ["above: 2", "below: 2", "between: [-9, 9]"])
def test_a_ratio_to_nothing_or_less_is_unknown(
    story: Story, load_rules: LoadRules, reference: float, comparison: str
) -> None:
    """There a ratio turns round: -4 would be four times as good as -1."""
    rule = _rule(f"{comparison}, relative_to: {{metric: y, statistic: last}}")
    rows = [{"x": x, "y": reference} for x in (-100.0, -1.0, 0.0, 1.0, 100.0)]
    assert story(rule, rows=rows) == []
    engine = Engine(load_rules(rule), RunDescription())
    for step, row in enumerate(rows, 1):
        engine.observe(step, admit(row))
    [note] = engine.coverage()
    assert note.reason == "x was never set against a reference large enough to judge by"


def test_an_unknown_ratio_neither_ends_nor_lengthens_an_episode(story: Story) -> None:
    rule = _rule("above: 2, relative_to: {metric: y, statistic: last}", ", for: 2")
    rows = [{"x": 5, "y": y} for y in (1, 0, 1, -1, 1, 5)]
    assert story(rule, rows=rows) == ["3: a#1 fires", "6: a#1 resolves"]


@pytest.mark.parametrize(
    ("relation", "reference", "fires"),
    [
        ("relative_to", 0.4, False),
        ("relative_to", 0.5, True),
        ("difference_from", 0.4, False),
        ("difference_from", 0.5, True),
        # In absolute value.
        ("difference_from", -0.4, False),
        ("difference_from", -0.5, True),
    ],
)
def test_a_small_reference_is_not_judged_by(
    story: Story, relation: str, reference: float, fires: bool
) -> None:
    rule = _rule(f"above: 1, {relation}: {{metric: y, statistic: last}}, reference_at_least: 0.5")
    assert bool(story(rule, rows=[{"x": 5, "y": reference}])) is fires


def test_another_metric_is_taken_as_it_stands_and_as_it_was_last(story: Story) -> None:
    rule = _rule("above: 2, difference_from: {metric: y, statistic: mean, window: 2}")
    rows = [{"y": 1}, {"y": 3, "x": 4}, {"y": 0, "x": 4}, {"x": 3}, {"x": 9}]
    # Rows without x do not wake the rule; y keeps its mean of 2, then 1.5.
    assert story(rule, rows=rows) == ["3: a#1 fires", "4: a#1 resolves", "5: a#2 fires"]


@pytest.mark.parametrize(
    ("threshold", "difference", "ratio", "shown"),
    [
        (
            "above: 2, difference_from: {statistic: last}",
            4.0,
            None,
            "7 is 4 beside 3, n/a times: above 2 beside the last before",
        ),
        (
            "above: 2, relative_to: {statistic: last}",
            None,
            7 / 3,
            "7 is n/a beside 3, 2.3 times: above 2 times the last before",
        ),
    ],
)
def test_an_insight_tells_the_difference_or_the_ratio(
    load_rules: LoadRules,
    threshold: str,
    difference: float | None,
    ratio: float | None,
    shown: str,
) -> None:
    message = "{value} is {difference} beside {reference}, {ratio:.1f} times: {threshold}"
    (rule,) = load_rules(_rule(threshold, f", message: '{message}'"))
    fired = _fired(rule, [3.0, 3.0, 7.0])
    assert (fired.value, fired.reference) == (7.0, 3.0)
    assert (fired.difference, fired.ratio) == (difference, ratio)
    assert fired.message == shown


def _level(statistic: str, part: list[float]) -> float:
    return statistics.fmean(part) if statistic == "mean" else statistics.stdev(part)


@pytest.mark.parametrize(("relation", "limit"), [("relative_to", 1.05), ("difference_from", 0.05)])
@pytest.mark.parametrize("statistic", ["mean", "std"])
def test_the_best_of_an_inexact_statistic_is_that_of_its_definition(
    load_rules: LoadRules, relation: str, limit: float, statistic: str
) -> None:
    """Sums that ran through a spike are off; the best must not be, nor anything that is told."""
    window, generator = 6, random.Random(7)
    values = [round(8 + generator.random(), 3) for _ in range(300)]
    values[4] = 1e12
    rule = (
        f"{{metric: x, statistic: {statistic}, window: {window}, keep_firing_for: 1, "
        f"threshold: {{above: {limit}, {relation}: running_best}}}}"
    )
    engine = Engine(load_rules(rule), RunDescription())
    plain = build_statistic(statistic, window, {})
    levels: list[float] = []
    defined: list[float] = []
    was_bad, fired = False, 0
    for step, value in enumerate(values, 1):
        events = engine.observe(step, admit({"x": value}))
        plain.update(value)
        if step < window:
            continue
        level = _level(statistic, values[step - window : step])
        levels.append(level)
        defined.append(plain.recompute())
        best = min(levels)
        compared = level / best if relation == "relative_to" else level - best
        is_bad = compared > limit
        assert bool(events) is (is_bad is not was_bad), step
        for event in events:
            if isinstance(event, InsightFired):
                fired += 1
                assert event.value == pytest.approx(level, rel=1e-12)
                assert event.reference == pytest.approx(best, rel=1e-12)
                # By the statistic's own definition no error is left at all.
                assert (event.value, event.reference) == (defined[-1], min(defined))
        was_bad = is_bad
    assert fired > 3
