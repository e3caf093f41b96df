"""Runs mutants against the tests of their rules and counts those that no test notices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import yaml

from post_training_toolkit.engine.mutation.mutants import Kind, Mutant, RuleData, mutants_of
from post_training_toolkit.engine.rule_tests.case import RuleTest
from post_training_toolkit.engine.rule_tests.naming import applies
from post_training_toolkit.engine.rule_tests.running import run_rule_test
from post_training_toolkit.engine.rule_tests.suite import load_suite
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.model import Rule, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import shipped_sources

_RELATIONS = ("inhibits", "caused_by")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant and the name of the test that fails on it, None if it survives every test."""

    mutant: Mutant
    killed_by: str | None


@dataclass(frozen=True, slots=True)
class MutationScore:
    """How many mutants some test notices."""

    killed: int
    total: int

    @classmethod
    def of(cls, verdicts: Iterable[Verdict], kind: Kind) -> MutationScore:
        """Count the verdicts of one kind."""
        killed = [each.killed_by is not None for each in verdicts if each.mutant.kind is kind]
        return cls(sum(killed), len(killed))

    def __str__(self) -> str:
        share = 100.0 * self.killed / self.total if self.total else 100.0
        return f"{self.killed} of {self.total} killed ({share:.1f} %)"


def shipped_verdicts() -> Iterator[Verdict]:
    """Judge every mutant of every shipped rule by the shipped tests."""
    (group,) = load_suite(()).groups
    rules, tests = group
    entries = [
        entry
        for source in shipped_sources()
        for entry in read_document(source.name, source.text).data["rules"]
    ]
    mutants = (mutant for entry in entries for mutant in mutants_of(entry))
    return judge_mutants(mutants, rules, tests)


def judge_mutants(
    mutants: Iterable[Mutant], rules: Sequence[Rule], tests: Sequence[RuleTest]
) -> Iterator[Verdict]:
    """Run each mutant in the place of its rule; one that is no valid rule any more is left out."""
    originals = {rule.id: rule for rule in rules}
    narrowed: dict[str, list[RuleTest]] = {}
    for mutant in mutants:
        rule = _load(mutant.data, originals[mutant.rule])
        if rule is None:
            continue
        if rule.inhibits == originals[rule.id].inhibits and (
            rule.caused_by == originals[rule.id].caused_by
        ):
            if rule.id not in narrowed:
                narrowed[rule.id] = _narrowed(originals[rule.id], tests)
            killers = _failing(narrowed[rule.id], [rule])
        else:
            related = [test for test in tests if any(each.caused_by for each in test.expect or ())]
            mutated = [rule if each.id == rule.id else each for each in rules]
            killers = _failing(related, mutated)
        yield Verdict(mutant, next(killers, None))


def _failing(tests: Iterable[RuleTest], rules: Sequence[Rule]) -> Iterator[str]:
    return (test.name for test in tests if not run_rule_test(test, rules).passed)


def _load(data: RuleData, original: Rule) -> Rule | None:
    """Load a rule on its own, with the relations to others that it is left with."""
    alone = {key: value for key, value in data.items() if key not in _RELATIONS}
    text = yaml.safe_dump({"version": 1, "rules": [alone]}, sort_keys=False)
    try:
        (rule,) = load_bundle([Source("mutant.yaml", text.encode())]).rules
    except InvalidRulesError:
        return None
    return replace(
        rule,
        inhibits=original.inhibits if "inhibits" in data else (),
        caused_by=original.caused_by if "caused_by" in data else (),
    )


def _narrowed(rule: Rule, tests: Iterable[RuleTest]) -> list[RuleTest]:
    """Return the tests that say something about a rule, in what they say about it alone.

    Those that name it come first, since they are the likeliest to notice a change. A test that
    fails on the rule itself would seem to notice every change, and is left out.
    """
    about = []
    for test in tests:
        if not applies(rule, test.run.trainer) or (test.rules and rule.id not in test.rules):
            continue
        if test.expect is None and rule.id not in test.silent:
            continue
        expect = test.expect and tuple(
            replace(each, caused_by=None) for each in test.expect if each.rule == rule.id
        )
        silent = test.silent & {rule.id}
        about.append(replace(test, rules=frozenset({rule.id}), expect=expect, silent=silent))
    about.sort(key=lambda test: not (test.expect or test.silent))
    return [test for test in about if run_rule_test(test, [rule]).passed]
