"""Finds test files, loads the rules that they ask for, and runs them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.engine.rule_tests.case import RuleTest
from post_training_toolkit.engine.rule_tests.loading import load_rule_tests
from post_training_toolkit.engine.rule_tests.naming import check_names
from post_training_toolkit.engine.rule_tests.running import RuleTestResult, run_rule_test
from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.sources import (
    PACK_PREFIX,
    expand_path,
    read_file,
    resolve_extended_path,
    shipped_beside,
)

# In a text that is no YAML, this tells a broken test file from one that is none of ours.
_TESTS_KEY = re.compile(rb"^['\"]?tests['\"]?\s*:", re.MULTILINE)


class NothingToTestError(LookupError):
    """No test was found or chosen; the text says where."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests, each group with the rules that it is run on."""

    groups: tuple[tuple[tuple[Rule, ...], tuple[RuleTest, ...]], ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules under test: those of the user's files, or else the shipped ones."""
        every = {rule.id: rule for rules, _ in self.groups for rule in rules}
        own = [rule for rule in every.values() if not rule.source.startswith(PACK_PREFIX)]
        return tuple(own or every.values())

    def run(self, pattern: re.Pattern[str] | None = None) -> tuple[RuleTestResult, ...]:
        """Run the tests whose name the pattern finds; raises ``NothingToTestError`` for none."""
        results = tuple(
            run_rule_test(test, rules)
            for rules, tests in self.groups
            for test in tests
            if pattern is None or pattern.search(test.name)
        )
        if not results:
            what = f" matches {pattern.pattern!r}" if pattern else ""
            raise NothingToTestError(f"no test{what}")
        return results


def load_suite(paths: Sequence[Path], rule_paths: Sequence[Path] = ()) -> Suite:
    """Load test files, or those of the shipped packs, with their rules and those of more paths.

    Raises ``InvalidRulesError`` with the mistakes of every file, ``NothingToTestError`` for a
    folder without tests, and ``OSError`` for a file that cannot be read.
    """
    problems: list[Problem] = []
    by_rule_files: dict[tuple[Path, ...], list[RuleTest]] = {}
    more = tuple(file for path in rule_paths for file in expand_path(path) if _holds_rules(file))
    for path in dict.fromkeys(_test_files(paths)):
        try:
            tests = load_rule_tests(path)
            rule_files = _rule_files(tests[0], path.parent)
        except InvalidRulesError as error:
            problems += error.problems
        else:
            by_rule_files.setdefault((*rule_files, *more), []).extend(tests)
    groups = []
    for chosen, tests in by_rule_files.items():
        try:
            rules = _load_rules(chosen)
            check_names(tests, rules)
        except InvalidRulesError as error:
            problems += error.problems
        else:
            groups.append((rules, tuple(tests)))
    if problems:
        raise InvalidRulesError(dict.fromkeys(problems))
    return Suite(tuple(groups))


def shipped_tests() -> Path:
    """Return the folder with the tests of the shipped packs."""
    return Path(str(files("post_training_toolkit.rules") / "pack_tests"))


def _test_files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths or (shipped_tests(),):
        if not path.is_dir():
            yield from expand_path(path)
            continue
        found = [file for file in expand_path(path) if _holds_tests(file)]
        if not found:
            raise NothingToTestError(f"no file with tests in folder {path}")
        yield from found


def _holds_tests(path: Path) -> bool:
    source = read_file(path)
    data = read_document(source.name, source.text).data
    if data is None:
        return _TESTS_KEY.search(source.text) is not None
    return isinstance(data, Mapping) and "tests" in data


def _holds_rules(path: Path) -> bool:
    return not _holds_tests(path)


def _rule_files(test: RuleTest, folder: Path) -> list[Path]:
    found, problems = [], []
    for index, entry in enumerate(test.rule_files):
        try:
            found.append(resolve_extended_path(entry, str(folder)))
        except LookupError as error:
            problems.append(test.document.problem(("rule_files", index), str(error.args[0])))
    if problems:
        raise InvalidRulesError(problems)
    return found


def _load_rules(paths: Iterable[Path]) -> tuple[Rule, ...]:
    own = [read_file(path) for path in paths]
    return load_checked_bundle([*shipped_beside(own), *own]).rules
