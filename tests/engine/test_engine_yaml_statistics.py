"""Every statistic works from a rule file with its parameters, and fires where its definition says.

Each row is one observation of the metric x, from step 1 on.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Story = Callable[..., list[str]]


def _rule(statistic: str, threshold: str, window: str | int | None = None) -> str:
    size = "" if window is None else f"window: {window}, "
    return (
        f"{{metric: x, statistic: {statistic}, {size}threshold: {{{threshold}}}, "
        "keep_firing_for: 1}"
    )


def _fires(story: Story, rule: str, values: list[Any], **run: Any) -> list[int]:
    told = story(rule, rows=[{"x": value} for value in values], run=RunDescription(**run))
    return [int(line.partition(":")[0]) for line in told if line.endswith("fires")]


def _note(load_rules: LoadRules, rule: str) -> str:
    [note] = Engine(load_rules(rule), RunDescription()).coverage()
    return note.reason


@pytest.mark.parametrize(
    ("statistic", "window", "threshold", "values", "steps"),
    [
        ("{name: quantile, q: 0.75}", 5, "above: 3.5", [1, 2, 3, 3, 4, 5, 0], [6]),
        ("{name: quantile, q: 0.25}", 5, "below: 1.5", [3, 2, 2, 3, 4, 1, 1], [7]),
        ("{name: last}", None, "above: 1", [0, 5], [2]),
        ("{name: mean}", 2, "above: 1", [0, 1, 5], [3]),
        ("median", 3, "above: 1", [0, 5, 0, 2, 2], [4]),
        ("iqr", 5, "above: 1.5", [1, 2, 1, 2, 1, 4, 4], [7]),
        ("range", 3, "above: 3", [0, 1, 2, 3, 7, 8], [5]),
        ("min", 2, "above: 1", [5, 1, 5, 5], [4]),
        ("max", 2, "below: 1", [5, 0, 0], [3]),
        ("slope", 3, "above: 0.9", [0, 0, 0, 1, 2], [5]),
        ("ewmean", 3, "above: 2", [1, 1, 3, 3], [4]),
        ("zscore", 4, "above: 3", [1, 2, 1, 2, 2, 9], [6]),
        ("change", None, "above: 2", [0, 2, 5, 6], [3]),
        ("change", None, "below: -2", [0, float("nan"), -3], [3]),
    ],
)
def test_a_statistic_with_its_parameters(
    story: Story,
    statistic: str,
    window: int | None,
    threshold: str,
    values: list[float],
    steps: list[int],
) -> None:
    assert _fires(story, _rule(statistic, threshold, window), values) == steps


VALUES = [0.0, 1.0, 2.0, 3.0, 4.0, 2.0, 2.0, -1.0]


@pytest.mark.parametrize(
    ("holds", "counts"),
    [
        ("above: 2", lambda x: x > 2),
        ("below: 2", lambda x: x < 2),
        ("between: [1, 3]", lambda x: 1 <= x <= 3),
        ("outside: [1, 3]", lambda x: not 1 <= x <= 3),
        ("equals: 2", lambda x: x == 2),
        ("equals: 2, tolerance: 1", lambda x: 1 <= x <= 3),
        ("above: 20 * beta", lambda x: x > 2),
        ("between: [10 * beta, 'sqrt(900 * beta * beta)']", lambda x: 1 <= x <= 3),
        ("above: window / 2", lambda x: x > 2),
        ("equals: 2, tolerance: 10 * beta", lambda x: 1 <= x <= 3),
    ],
)
def test_a_fraction_counts_by_every_comparison(
    story: Story, holds: str, counts: Callable[[float], bool]
) -> None:
    """Asked for exact shares, so that one observation too many or too few is seen."""
    size = 4
    shares = [
        sum(map(counts, VALUES[end - size : end])) / size for end in range(size, len(VALUES) + 1)
    ]
    for share in sorted(set(shares)):
        expected = []
        for place, each in enumerate(shares):
            if each == share and (place == 0 or shares[place - 1] != share):
                expected.append(place + size)
        rule = _rule(f"{{name: fraction, {holds}}}", f"equals: {share}", size)
        assert _fires(story, rule, VALUES, configuration={"beta": 0.1}) == expected


@pytest.mark.parametrize(
    ("parameters", "threshold", "steps"),
    [
        # Both rise all the time, but what one gains more the other gains less.
        ("with: y", "below: -0.9", [5]),
        ("with: y", "above: 0.5", []),
        ("with: y, levels: false", "below: -0.9", [5]),
        ("with: y, levels: true", "above: 0.5", [4]),
        ("with: y, levels: true", "below: 0", []),
    ],
)
def test_a_correlation_is_of_changes_unless_levels_are_asked_for(
    story: Story, parameters: str, threshold: str, steps: list[int]
) -> None:
    changes = [3.0, 1.0, 3.0, 1.0, 2.5, 1.5]
    x, y = 0.0, 0.0
    rows = [{"x": x, "y": y}]
    for change in changes:
        x, y = x + change, y + 4 - change
        # What holds one of the two is no pair.
        rows += [{"x": x, "y": y}]
    told = story(_rule(f"{{name: correlation, {parameters}}}", threshold, 4), rows=rows)
    assert [int(line.partition(":")[0]) for line in told if line.endswith("fires")] == steps


def test_a_correlation_takes_rows_that_hold_both(story: Story) -> None:
    rule = _rule("{name: correlation, with: y, levels: true}", "above: 0.99", 3)
    pairs = [{"x": 1, "y": 1}, {"x": 2, "y": 2}, {"x": 3, "y": 3}]
    mixed: list[Mapping[str, float]] = []
    for pair in pairs:
        mixed += [{"x": 100.0}, {"y": -100.0}, {"x": 7.0, "y": float("nan")}, pair]
    assert story(rule, rows=mixed)[:1] == ["12: a#1 fires"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        # Never logged: counted from the first row.
        ([{"y": 1}] * 5, ["4: a#1 fires"]),
        (
            [{"x": 1}, {}, {"y": 1}, {}, {"x": 1}, {}, {}, {}],
            ["4: a#1 fires", "5: a#1 resolves", "8: a#2 fires"],
        ),
        # NaN is logged all the same, null is not.
        ([{"x": 1}, {"x": float("nan")}, {}, {}, {}], ["5: a#1 fires"]),
        ([{"x": 1}, {"x": None}, {"x": None}, {"x": None}], ["4: a#1 fires"]),
    ],
)
def test_an_age_grows_with_every_row_that_lacks_the_metric(
    story: Story, rows: list[dict[str, float]], told: list[str]
) -> None:
    assert story(_rule("age", "above: 2"), rows=rows) == told


@pytest.mark.parametrize(
    ("statistic", "value", "value_of"),
    [
        ("mean", 4.0, statistics.fmean),
        ("std", 2.0, statistics.stdev),
        ("min", 0.5, min),
        ("max", 6.0, max),
        ("range", 5.0, lambda seen: max(seen) - min(seen)),
    ],
)
def test_over_the_whole_run_nothing_is_forgotten(
    load_rules: LoadRules, statistic: str, value: float, value_of: Callable[[list[float]], float]
) -> None:
    generator = random.Random(3)
    values = [generator.uniform(0, 1) for _ in range(20)]
    values += [generator.uniform(0, 10) for _ in range(200)]
    comparison = "below" if statistic == "min" else "above"
    if statistic == "min":
        value = 0.001
        values[-1] = 0.0
    engine = Engine(load_rules(_rule(statistic, f"{comparison}: {value}", "run")), RunDescription())
    first = None
    for step, x in enumerate(values, 1):
        if engine.observe(step, admit({"x": x})) and first is None:
            first = step
    bad = [
        step
        for step in range(5, len(values) + 1)
        if (
            value_of(values[:step]) < value
            if comparison == "below"
            else value_of(values[:step]) > value
        )
    ]
    assert first == bad[0]


@pytest.mark.parametrize("statistic", ["median", "{name: quantile, q: 0.9}"])
def test_a_quantile_of_the_whole_run_is_an_estimate(load_rules: LoadRules, statistic: str) -> None:
    engine = Engine(load_rules(_rule(statistic, "outside: [-9, -8]", "run")), RunDescription())
    generator = random.Random(1)
    for step in range(1, 5):
        assert engine.observe(step, admit({"x": generator.random()})) == ()
    [fired] = engine.observe(5, admit({"x": generator.random()}))
    assert fired.step == 5


@pytest.mark.parametrize(
    "statistic",
    ["iqr", "slope", "trend", "zscore", "ewmean", "{name: fraction, above: 1}", "page_hinkley"],
)
def test_what_has_no_meaning_over_the_whole_run_is_a_located_error(
    load_rules: LoadRules, statistic: str
) -> None:
    with pytest.raises(ValueError, match=r"my\.yaml:\d+:\d+: rule 'a': .* over the whole run"):
        load_rules(_rule(statistic, "above: 1", "run"))


# --- river's own --------------------------------------------------------------------------------


def _kurtosis(values: list[float]) -> float:
    """Return the excess kurtosis, corrected for bias."""
    n, mean = len(values), statistics.fmean(values)
    second = sum((x - mean) ** 2 for x in values) / n
    fourth = sum((x - mean) ** 4 for x in values) / n
    biased = fourth / second**2 - 3
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * biased + 6)


@pytest.mark.parametrize("window", [6, None])
def test_a_statistic_of_river_by_its_dotted_name(load_rules: LoadRules, window: int | None) -> None:
    rules = load_rules(_rule("river.stats.Kurtosis", "above: 1.5", window))
    engine = Engine(rules, RunDescription())
    generator = random.Random(5)
    values = [generator.gauss(0, 1) for _ in range(30)]
    values[20] = 15.0
    was_bad, changes = False, 0
    for step, x in enumerate(values, 1):
        events = engine.observe(step, admit({"x": x}))
        if step < (window or 5):
            assert events == ()
            continue
        is_bad = _kurtosis(values[step - window : step] if window else values[:step]) > 1.5
        assert bool(events) is (is_bad is not was_bad), step
        changes += is_bad is not was_bad
        was_bad = is_bad
    assert changes > 0


def test_a_statistic_of_river_takes_arguments(story: Story) -> None:
    rule = "{name: river.stats.EWMean, arguments: {fading_factor: 0.5}}"
    assert _fires(story, _rule(rule, "above: 7.4"), [0, 0, 0, 0, 0, 10, 10]) == [7]
    faster = "{name: river.stats.EWMean, arguments: {fading_factor: 0.8}}"
    assert _fires(story, _rule(faster, "above: 7.4"), [0, 0, 0, 0, 0, 10, 10]) == [6]


@pytest.mark.parametrize(
    ("statistic", "reason"),
    [
        ("river.stats.Kurtsis", "river.stats has no 'Kurtsis'; did you mean 'Kurtosis'?"),
        ("river.stats.Cov", "river.stats.Cov looks at two metrics; use 'correlation' for that"),
        ("river.stats.RollingMax", "river.stats.RollingMax needs window_size; write "),
        (
            "{name: river.stats.EWMean, arguments: {fading: 1}}",
            "river.stats.EWMean does not work with its arguments: ",
        ),
    ],
)
def test_what_river_has_not_is_told_in_the_coverage(
    load_rules: LoadRules, statistic: str, reason: str
) -> None:
    assert _note(load_rules, _rule(statistic, "above: 1")).startswith(reason)


# --- change detectors ---------------------------------------------------------------------------


@pytest.mark.parametrize(("detector", "at_most_logs"), [("page_hinkley", 10), ("adwin", 60)])
@pytest.mark.parametrize(("direction", "shift"), [("up", 6.0), ("down", -6.0)])
def test_a_change_detector_fires_once_after_a_shift(
    story: Story, detector: str, at_most_logs: int, direction: str, shift: float
) -> None:
    generator = random.Random(11)
    values = [generator.gauss(0, 1) for _ in range(100)]
    values += [shift + generator.gauss(0, 1) for _ in range(100)]
    comparison = "above: 1" if direction == "up" else "below: -1"
    rule = (
        f"{{metric: x, statistic: {{name: {detector}, direction: {direction}}}, window: 30, "
        f"threshold: {{{comparison}}}, keep_firing_for: 80}}"
    )
    [step] = _fires(story, rule, values)
    assert 100 < step <= 100 + at_most_logs
    # The other direction, and a stream without a shift, say nothing.
    assert _fires(story, rule, [-x for x in values]) == []
    assert _fires(story, rule, values[:100]) == []


@pytest.mark.parametrize(
    ("statistic", "steps"),
    [
        ("{name: page_hinkley, threshold: 15}", [62, 63]),
        # It takes a larger sum, and a change that is tolerated says nothing.
        ("{name: page_hinkley, threshold: 40}", [65, 68]),
        ("{name: page_hinkley, delta: 50}", []),
    ],
)
def test_the_parameters_of_a_change_detector_count(
    story: Story, statistic: str, steps: list[int]
) -> None:
    values = [math.sin(n * 2.4) for n in range(60)] + [12.0] * 20
    found = _fires(story, _rule(statistic, "above: 1", 30), values)
    assert bool(found) is bool(steps)
    if steps:
        assert steps[0] <= found[0] <= steps[1]


# --- the name window ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "run", "steps"),
    [
        ("{metric: x, statistic: mean, window: 4, threshold: {above: window / 2}}", {}, [5]),
        ("{metric: x, statistic: mean, window: 4, threshold: {above: sqrt(window)}}", {}, [5]),
        # A share of the run is counted in observations.
        (
            "{metric: x, statistic: mean, threshold: {above: window / 2}, "
            "window: {fraction: 0.1, at_least: 2, at_most: 9}}",
            {"max_steps": 40, "logging_steps": 1},
            [5],
        ),
        ("{metric: x, threshold: {above: window + 1}}", {}, [5]),
    ],
)
def test_the_window_is_a_name_in_expressions(
    story: Story, rule: str, run: dict[str, int], steps: list[int]
) -> None:
    assert _fires(story, rule, [2, 2, 2, 2, 3], **run) == steps


def test_the_whole_run_has_no_size(load_rules: LoadRules) -> None:
    reason = _note(load_rules, _rule("mean", "above: window", "run"))
    assert reason == "its threshold needs window, and window is not known in this run"
