"""Checks rule files and rule-test files without loading an engine."""

from __future__ import annotations

from dataclasses import dataclass

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS, INVALID_INPUT
from post_training_toolkit.engine.cli.rule_files import RuleFiles
from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.lint import lint_bundle
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.schemas import load_schema


@dataclass(frozen=True, slots=True)
class Validation:
    """What is wrong in some files: errors make them unusable, findings are probably not meant.

    ``rules`` and ``tests`` count what is valid; with an error in any rule file no rule counts.
    """

    files: tuple[str, ...]
    rules: int = 0
    tests: int = 0
    errors: tuple[Problem, ...] = ()
    findings: tuple[Problem, ...] = ()

    def exit_code(self, *, strict: bool) -> int:
        """Return the exit code; findings fail only a strict check."""
        if self.errors:
            return INVALID_INPUT
        return FINDINGS if strict and self.findings else CLEAN

    def summary(self) -> str:
        """Count in one line.

        >>> Validation(("my.yaml",), rules=2).summary()
        '2 rules in 1 file valid, 0 findings'
        """
        findings = count(len(self.findings), "finding")
        if self.errors:
            more = f", {findings}" if self.findings else ""
            return count(len(self.errors), "problem") + more
        tests = f" and {count(self.tests, 'test')}" if self.tests else ""
        rules = count(self.rules, "rule")
        return f"{rules}{tests} in {count(len(self.files), 'file')} valid, {findings}"


def validate_files(files: RuleFiles) -> Validation:
    """Check every file, and the rules together with the shipped ones."""
    names = [source.name for source in files.rules]
    errors: list[Problem] = []
    findings: list[Problem] = []
    rules = 0
    try:
        bundle = files.load()
    except InvalidRulesError as error:
        errors += error.problems
    else:
        rules = sum(rule.source in names for rule in bundle.rules)
        findings = lint_bundle(bundle, names)
    tests = 0
    for source in files.tests:
        found, valid = _check_tests(source)
        errors += found
        tests += valid
    everything = (*files.rules, *files.tests)
    # One file given twice is one file.
    different = tuple(dict.fromkeys(source.name for source in everything))
    return Validation(different, rules, tests, tuple(errors), tuple(findings))


def count(number: int, noun: str) -> str:
    """Return a number and its noun.

    >>> count(1, "rule"), count(2, "rule")
    ('1 rule', '2 rules')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _check_tests(source: Source) -> tuple[list[Problem], int]:
    """Return the mistakes in a file of rule tests, and the number of tests if there are none."""
    document = read_document(source.name, source.text)
    found = list(document.problems)
    if document.data is not None:
        found += [problem for _, problem in check_schema(document, load_schema("rule_tests"))]
    if found:
        return sorted(found, key=lambda each: (each.line, each.column)), 0
    return [], len(document.data["tests"])
