"""Finds what unit tests promise about each rule, without running them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from post_training_toolkit.rules.document import read_document
from post_training_toolkit.rules.model import Source
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.schemas import load_schema


@dataclass(frozen=True, slots=True)
class Promise:
    """What a unit test promises about a rule: its name, and the steps at which the rule fires."""

    name: str
    fires_at: tuple[int, ...]


def shipped_tests() -> tuple[Source, ...]:
    """Read the files of rule tests that ship with the packs."""
    folder = files("post_training_toolkit.rules") / "pack_tests"
    found = sorted(folder.iterdir(), key=lambda each: each.name)
    return tuple(
        Source(f"tests:{each.name}", each.read_bytes())
        for each in found
        if each.name.endswith(".yaml")
    )


def promises_by_rule(sources: Iterable[Source]) -> Mapping[str, list[Promise]]:
    """Return, by rule id, the tests that name the rule; a file that is invalid promises nothing."""
    promises: dict[str, list[Promise]] = {}
    for source in sources:
        document = read_document(source.name, source.text)
        if document.problems or check_schema(document, load_schema("rule_tests")):
            continue
        for test in document.data["tests"]:
            for rule, promise in _promises(test):
                promises.setdefault(rule, []).append(promise)
    return promises


def _promises(test: Mapping[str, Any]) -> Iterable[tuple[str, Promise]]:
    fired: dict[str, list[int]] = {rule: [] for rule in test.get("rules", ())}
    for expected in test.get("expect", ()):
        fired.setdefault(expected["rule"], []).append(expected["step"])
    for rule in test.get("silent", ()):
        fired.setdefault(rule, [])
    for rule, steps in fired.items():
        yield rule, Promise(test["name"], tuple(steps))
