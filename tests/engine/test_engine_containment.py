"""A part of the toolkit that fails is taken out and told; the others and training go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import pytest
from river.stats import RollingQuantile

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.door import Row, admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.model import Rule

LoadRules = Callable[..., tuple[Rule, ...]]
Tell = Callable[[Iterable[Event]], list[str]]


class NativePanicError(BaseException):
    """What native code raises is no ``Exception``."""


def _fail(error: BaseException) -> None:
    raise error


def test_an_action_that_works_gives_its_result_and_leaves_no_record() -> None:
    containment = Containment()
    assert containment.run("sum", sum, [1, 2], start=3) == 6
    assert containment.failures == {}


def test_a_failure_is_recorded_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    containment = Containment()
    with caplog.at_level(logging.ERROR):
        for text in ("first", "second", "third"):
            assert containment.run("sums", _fail, ValueError(text)) is None
        assert containment.run("other", _fail, KeyError("k")) is None
    failure = containment.failures["sums"]
    assert (failure.part, failure.error, failure.count) == ("sums", "ValueError: first", 3)
    assert failure.traceback.startswith("Traceback")
    assert "in _fail" in failure.traceback
    assert [record.getMessage() for record in caplog.records] == [
        "post_training_toolkit: sums failed and is contained; training goes on",
        "post_training_toolkit: other failed and is contained; training goes on",
    ]
    assert all(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_wish_to_stop_passes_through(signal: type[BaseException]) -> None:
    containment = Containment()
    with pytest.raises(signal):
        containment.run("part", _fail, signal())
    assert containment.failures == {}


def test_a_panic_of_native_code_is_contained() -> None:
    """NaN makes river's Rust quantile panic with something that ``except Exception`` misses."""
    quantile = RollingQuantile(q=0.5, window_size=3)

    def feed() -> None:
        for x in (1.0, float("nan"), 2.0):
            quantile.update(x)

    containment = Containment()
    assert containment.run("quantile", feed) is None
    assert containment.failures["quantile"].error.startswith("PanicException: ")


@pytest.fixture(name="break_rule")
def _break_rule(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, BaseException], None]:
    """Make one rule raise at steps 3 and later."""

    def break_rule(broken: str, error: BaseException) -> None:
        follow = Detector.follow

        def failing(detector: Detector, step: int, row: Row, met: bool | None) -> Event | None:
            if detector.rule.id == broken and step >= 3:
                raise error
            return follow(detector, step, row, met)

        monkeypatch.setattr(Detector, "follow", failing)

    return break_rule


HIGH = "{metric: x, threshold: {above: 1}, for: 2, keep_firing_for: 1}"


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), NativePanicError("by zero")])
def test_a_rule_that_fails_is_taken_out_and_the_others_go_on(
    load_rules: LoadRules,
    tell: Tell,
    break_rule: Callable[[str, BaseException], None],
    error: BaseException,
) -> None:
    break_rule("b", error)
    containment = Containment()
    engine = Engine(load_rules(HIGH, HIGH, HIGH), RunDescription(), containment)
    events: list[Event] = []
    for step, x in enumerate([5, 5, 0, 5, 5, 5], start=1):
        events += engine.observe(step, admit({"x": x}))
    events += engine.finish(9)
    assert tell(events) == [
        "2: a#1 fires",
        "2: b#1 fires",
        "2: c#1 fires",
        "3: a#1 resolves",
        "3: c#1 resolves",
        "3: b#1 still fires",
        "5: a#2 fires",
        "5: c#2 fires",
        "9: a#2 still fires",
        "9: c#2 still fires",
    ]
    name = type(error).__name__
    # Taken out after the first time: it failed once.
    assert {part: each.count for part, each in containment.failures.items()} == {"rule b": 1}
    assert containment.failures["rule b"].error == f"{name}: by zero"
    assert engine.coverage() == (NotRun("b", f"it failed inside: {name}: by zero"),)


def test_an_interrupt_inside_a_rule_ends_the_run(
    load_rules: LoadRules, break_rule: Callable[[str, BaseException], None]
) -> None:
    break_rule("a", KeyboardInterrupt())
    containment = Containment()
    engine = Engine(load_rules(HIGH), RunDescription(), containment)
    engine.observe(1, admit({"x": 5}))
    with pytest.raises(KeyboardInterrupt):
        engine.observe(3, admit({"x": 5}))
    assert containment.failures == {}
