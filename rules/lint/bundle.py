"""Runs every check over the rules of a bundle and gives each finding its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from post_training_toolkit.rules.document import Document, read_document
from post_training_toolkit.rules.lint.checks import CHECKS, RENAMED_ID
from post_training_toolkit.rules.lint.finding import Finding
from post_training_toolkit.rules.lint.neighbours import Neighbours
from post_training_toolkit.rules.lint.override import lint_overrides
from post_training_toolkit.rules.model import Rename, Rule, RuleBundle
from post_training_toolkit.rules.problem import Problem


def lint_bundle(bundle: RuleBundle, files: Iterable[str]) -> list[Problem]:
    """Return the findings in the named files of a bundle, file by file and from top to bottom.

    The other files of the bundle are what the rules are compared with.
    """
    names = list(dict.fromkeys(files))
    documents = _Documents(bundle)
    neighbours = Neighbours(bundle.rules)
    found = [
        _place_in_rule(documents.read(rule.source), rule, code, finding)
        for rule in bundle.rules
        if rule.source in names
        for code, check in CHECKS.items()
        for finding in check(rule, neighbours)
    ]
    for name in names:
        if documents.may_hold(name, b"overrides"):
            document = documents.read(name)
            for code, finding in lint_overrides(document, neighbours):
                found.append(replace(document.problem(finding.path, finding.message), code=code))
    found += [_renamed(rename) for rename in bundle.renames if rename.file in names]
    return sorted(found, key=lambda each: (names.index(each.file), each.line, each.column))


def _place_in_rule(document: Document, rule: Rule, code: str, finding: Finding) -> Problem:
    for index in range(len(document.data["rules"])):
        entry = ("rules", index)
        if document.positions[entry] == (rule.line, rule.column):
            problem = document.problem((*entry, *finding.path), finding.message)
            return replace(problem, code=code)
    raise LookupError(f"rule {rule.id!r} does not stand at {rule.source}:{rule.line}")


def _renamed(rename: Rename) -> Problem:
    message = f"{rename.old!r} is called {rename.new!r} now; write that"
    return Problem(rename.file, rename.line, rename.column, rename.new, message, RENAMED_ID)


class _Documents:
    """Reads the files of a bundle again for the places in them; only those that have findings."""

    def __init__(self, bundle: RuleBundle) -> None:
        self._texts = {source.name: source.text for source in bundle.sources}
        self._documents: dict[str, Document] = {}

    def may_hold(self, name: str, key: bytes) -> bool:
        return key in self._texts.get(name, b"")

    def read(self, name: str) -> Document:
        if name not in self._documents:
            self._documents[name] = read_document(name, self._texts[name])
        return self._documents[name]
