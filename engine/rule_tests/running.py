"""Runs a test of rules and says in what the insights differ from the expected ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import (
    Event,
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.engine.rule_tests.case import ExpectedInsight, RuleTest
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.model import Rule


@dataclass(frozen=True, slots=True)
class Difference:
    """What was not as expected, in words; ``expected`` and ``got`` are None where there is none.

    ``got`` has the form of an expectation, so that it can be written into the test.
    """

    what: str
    expected: ExpectedInsight | None = None
    got: ExpectedInsight | None = None


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """A test that was run; without differences it has passed."""

    test: RuleTest
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as the test says."""
        return not self.differences


def run_rule_test(test: RuleTest, rules: Iterable[Rule]) -> RuleTestResult:
    """Run the judged rules over the rows of a test and compare."""
    judged = judged_rules(test, rules)
    containment = Containment()
    engine = Engine(judged, test.run, containment)
    events = test.feed(engine)
    if containment.failures:
        # What a rule that broke down has said or not said means nothing.
        failures = containment.failures.items()
        inside = [Difference(f"{part} failed inside: {each.error}") for part, each in failures]
        return RuleTestResult(test, tuple(inside))
    failed: list[Difference] = []
    silent_because = {each.rule: each.reason for each in engine.coverage()}
    told = _told(events)
    if test.expect is not None:
        failed += _compare(test.expect, told, silent_because)
    fired = [each for each in told if each.rule in test.silent]
    failed += [Difference(f"{each.rule} fires, and must be silent", got=each) for each in fired]
    for rule in judged:
        if rule.id in test.silent and rule.id not in {each.rule for each in fired}:
            reason = reason_unable(rule, test)
            if reason:
                failed.append(Difference(f"{rule.id} is silent, but could not judge: {reason}"))
    return RuleTestResult(test, tuple(failed))


def judged_rules(test: RuleTest, rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules that a test is about."""
    if test.rules:
        return [rule for rule in rules if rule.id in test.rules]
    if test.expect is None:
        return [rule for rule in rules if rule.id in test.silent]
    return list(rules)


def reason_unable(rule: Rule, test: RuleTest) -> str | None:
    """Say why a rule could not fire in the run of a test, or return None if it could."""
    if isinstance(rule.condition, CrashCondition) and test.death is None:
        return "the run does not die; give 'died'"
    engine = Engine([rule], test.run)
    test.feed(engine)
    for each in engine.coverage():
        return each.reason
    return None if engine.rules_judged else "it is not for such a run"


def _told(events: Sequence[Event]) -> list[ExpectedInsight]:
    """Fold the events into what was told, in the form of expectations."""
    told: dict[str, ExpectedInsight] = {}
    # A consequence may be told before the cause that fires in the same row.
    rule_of = {event.insight: event.rule for event in events if isinstance(event, InsightFired)}
    for event in events:
        match event:
            case InsightFired():
                told[event.insight] = ExpectedInsight(
                    event.rule,
                    event.step,
                    severity=str(event.severity),
                    metric=event.metric,
                    caused_by=rule_of[event.caused_by] if event.caused_by else None,
                    message=event.message,
                )
            case InsightEscalated():
                told[event.insight] = replace(told[event.insight], escalated=event.step)
            case InsightFolded():
                cause = rule_of[event.caused_by]
                told[event.insight] = replace(told[event.insight], caused_by=cause)
            case InsightClosed():
                told[event.insight] = replace(told[event.insight], resolved=event.step)
    return list(told.values())


def _compare(
    expect: Sequence[ExpectedInsight],
    told: Sequence[ExpectedInsight],
    silent_because: Mapping[str, str],
) -> Iterator[Difference]:
    """Pair what fits exactly first, then what is left of each rule in order."""
    left = list(told)
    unmet = []
    for expected in expect:
        fitting = next((got for got in left if not _differing(expected, got)), None)
        if fitting is None:
            unmet.append(expected)
        else:
            left.remove(fitting)
    for expected in unmet:
        got = next((each for each in left if each.rule == expected.rule), None)
        if got is None:
            reason = silent_because.get(expected.rule)
            what = f"{expected.rule} does not fire"
            yield Difference(f"{what}: {reason}" if reason else what, expected)
        else:
            left.remove(got)
            yield Difference(_describe(expected, got), expected, got)
    for got in left:
        yield Difference(f"{got.rule} fires, and is not expected", got=got)


def _differing(expected: ExpectedInsight, got: ExpectedInsight) -> list[str]:
    """Return the parts in which an insight is not as expected."""
    differing = []
    for part in fields(ExpectedInsight):
        wanted, found = getattr(expected, part.name), getattr(got, part.name)
        if part.name == "message":
            fits = wanted is None or wanted in found
        elif part.name == "escalated":
            fits = wanted == found
        else:
            fits = wanted in (None, found)
        if not fits:
            differing.append(part.name)
    return differing


def _describe(expected: ExpectedInsight, got: ExpectedInsight) -> str:
    if expected.escalated is None and got.escalated is not None:
        return f"{expected.rule} escalates, and is not expected to"
    differing = _differing(expected, got)
    verb = "differs" if len(differing) == 1 else "differ"
    return f"{expected.rule}: {' and '.join(differing)} {verb}"
