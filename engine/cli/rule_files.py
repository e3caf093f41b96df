"""Reads the rule files that a command names, together with the shipped rules they build on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from post_training_toolkit.engine.checked_bundle import load_checked_bundle
from post_training_toolkit.engine.cli.exit_codes import INVALID_INPUT
from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.model import Rule, RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.sources import (
    expand_path,
    read_file,
    shipped_beside,
    shipped_sources,
)


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Files as a user named them: those with rules, and those with tests of rules."""

    rules: tuple[Source, ...]
    tests: tuple[Source, ...]

    def load(self) -> RuleBundle:
        """Load the rules as the callback does: the shipped ones first, which these join or change.

        Raises ``InvalidRulesError``.
        """
        return load_checked_bundle([*shipped_beside(self.rules), *self.rules])


def read_rule_files(paths: Sequence[Path]) -> RuleFiles:
    """Read files and folders; no path stands for the shipped packs.

    Raises ``click.UsageError`` for what cannot be read.
    """
    sources = list(shipped_sources()) if not paths else _read(paths)
    tests = tuple(source for source in sources if _holds_tests(source))
    return RuleFiles(tuple(source for source in sources if source not in tests), tests)


def load_rules(paths: Sequence[Path]) -> tuple[list[Rule], RuleBundle]:
    """Return the rules of the files that a command names, and the bundle that they are part of.

    A file that is invalid ends the command: its mistakes go to stderr, the exit code is 3.
    """
    files = read_rule_files(paths)
    try:
        bundle = files.load()
    except InvalidRulesError as error:
        click.echo(str(error), err=True)
        sys.exit(INVALID_INPUT)
    names = {source.name for source in files.rules}
    return [rule for rule in bundle.rules if rule.source in names], bundle


def _read(paths: Iterable[Path]) -> list[Source]:
    try:
        return [read_file(file) for path in paths for file in expand_path(path)]
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"cannot read {error.filename}: {error.strerror}") from None


def _holds_tests(source: Source) -> bool:
    # Most rule files do not hold the word at all, and need not be read twice.
    if b"tests" not in source.text:
        return False
    data = read_document(source.name, source.text).data
    return isinstance(data, dict) and "tests" in data and "rules" not in data
