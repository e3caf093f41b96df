"""NaN, infinities, nulls and texts change nothing for the rules that look at numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

Rows = Sequence[tuple[int, Mapping[str, Any]]]
LoadRules = Callable[..., tuple[Rule, ...]]

RUN = RunDescription(None, {"n": 8}, max_steps=120, logging_steps=1)
RULES = (
    "{metric: x, statistic: mean, window: 4, threshold: {below: 0.5}, for: 2, keep_firing_for: 1}",
    "{metric: x, statistic: std, window: 5, threshold: {above: 0.35}, keep_firing_for: 2}",
    "{metric: x, statistic: median, window: 3, threshold: {equals: 0.5}, keep_firing_for: 1}",
    "{metric: x, statistic: zscore, window: 6, threshold: {outside: [-1.5, 1.5]}}",
    "{metric: x, threshold: {above: 1.4, relative_to: baseline}, keep_firing_for: 1}",
    "{metric: x, statistic: mean, window: 2, threshold: {below: 0.3, relative_to: running_best}}",
    "{metric: y, threshold: {above: 1.9, relative_to: {statistic: mean, window: 3}}}",
    "any: [{metric: x, threshold: {above: 0.9}}, {metric: y, threshold: {below: 0.1}}]",
    "{metric: y, threshold: {between: [0.2, 0.4]}, after: {observations: 5}}",
)
BAD = (float("nan"), float("inf"), float("-inf"), None, "NaN", "text", [1.0, 2.0])

eighths = st.integers(0, 8).map(lambda k: k / 8)
tenths = st.integers(0, 10).map(lambda k: k / 10)
bad = st.sampled_from(BAD)


def _streams(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[dict[str, float]]]:
    row = st.fixed_dictionaries({"x": values}, optional={"y": values})
    return st.lists(row, min_size=10, max_size=60)


streams = _streams(eighths) | _streams(tenths) | _streams(st.floats(0, 1))


def _lines(rules: tuple[Rule, ...], rows: Rows) -> list[bytes]:
    containment = Containment()
    engine = Engine(rules, RUN, containment)
    events: list[Event] = []
    for step, row in rows:
        events += engine.observe(step, admit(row))
    # A rule that failed on both sides would be equal too.
    assert containment.failures == {}
    return [insight_line(event) for event in (*events, *engine.finish(200))]


def test_the_rules_of_this_file_do_fire(load_rules: LoadRules) -> None:
    """Otherwise the equalities below would compare nothing."""
    rows = [{"x": (step * 7 % 9) / 8, "y": (step * 5 % 11) / 10} for step in range(60)]
    lines = _lines(load_rules(*RULES), list(enumerate(rows)))
    for rule in "abcdefghi":
        assert any(f'"fired","insight":"{rule}#1"'.encode() in line for line in lines), rule


@given(streams, st.data())
@settings(max_examples=60, deadline=None)
def test_rows_of_bad_values_between_the_others_change_no_byte(
    load_rules: LoadRules, stream: list[dict[str, float]], data: st.DataObject
) -> None:
    rules = load_rules(*RULES)
    clean = list(enumerate(stream))
    dirty: list[tuple[int, Mapping[str, Any]]] = []
    for step, row in clean:
        noise = data.draw(st.lists(st.fixed_dictionaries({"x": bad, "y": bad}), max_size=2))
        dirty += [*((step, each) for each in noise), (step, row)]
    assert _lines(rules, dirty) == _lines(rules, clean)


@given(streams, bad, st.sets(st.integers(0, 59)))
@settings(max_examples=60, deadline=None)
def test_a_bad_value_in_a_row_is_as_good_as_none_at_all(
    load_rules: LoadRules, stream: list[dict[str, float]], value: object, places: set[int]
) -> None:
    """The other metrics of that row count."""
    rules = load_rules(*RULES)
    with_bad, without = [], []
    for step, row in enumerate(stream):
        with_bad.append((step, {**row, "x": value} if step in places else row))
        without.append((step, {k: v for k, v in row.items() if k != "x" or step not in places}))
    assert _lines(rules, with_bad) == _lines(rules, without)


@given(streams)
@settings(max_examples=30, deadline=None)
def test_other_metrics_and_the_order_of_keys_change_nothing(
    load_rules: LoadRules, stream: list[dict[str, float]]
) -> None:
    rules = load_rules(*RULES)
    turned = [{"a": 1e30, **dict(reversed(row.items())), "eval_x": -1e30} for row in stream]
    assert _lines(rules, list(enumerate(turned))) == _lines(rules, list(enumerate(stream)))


def test_a_spike_that_left_the_windows_decides_nothing_any_more(load_rules: LoadRules) -> None:
    """Ties at the threshold come out as if it had never been; with a running sum they do not."""
    rules = load_rules(RULES[0], RULES[1], RULES[2], RULES[3])
    start = [{"x": 0.7 if step % 2 else 0.3} for step in range(20)]
    rest = [{"x": (step * 7 % 11) / 10} for step in range(60)]
    calm = [{"x": 0.7}] * 8

    def after(spikes: list[dict[str, float]]) -> list[bytes]:
        rows = [*start, *spikes, *calm, *rest]
        engine = Engine(rules, RUN)
        lines = []
        for number, row in enumerate(rows):
            # Steps count from the calm part, so that they agree with and without spikes.
            step = number - len(start) - len(spikes)
            lines += [(step, insight_line(each)) for each in engine.observe(step, admit(row))]
        return [line for step, line in lines if step > len(calm)]

    def without_numbers(lines: list[bytes]) -> list[bytes]:
        return [line.partition(b'"title"')[2] or line.partition(b'"step"')[2] for line in lines]

    clean, spiked = after([]), after([{"x": 1e30}, {"x": -1e15}])
    assert len(clean) > 10
    assert without_numbers(spiked) == without_numbers(clean)
