"""What a schema and the code both say is the same in both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from post_training_toolkit.engine.event import (
    InsightClosed,
    InsightEscalated,
    InsightFired,
    InsightFolded,
)
from post_training_toolkit.engine.statistics.registry import STATISTICS
from post_training_toolkit.rules.catalogue import rule_subjects
from post_training_toolkit.rules.condition import Comparison, Reference, Relation, WholeRun
from post_training_toolkit.rules.message import BUILT_IN_PLACEHOLDERS
from post_training_toolkit.rules.model import Citation, LearningRatePhase, Status
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.schemas import SCHEMA_NAMES, load_schema

PARTS = load_schema("rules")["$defs"]
WITH_SEVERITIES = set(SCHEMA_NAMES) - {
    *("agent_trace", "metrics_line", "resume_validation", "prompts", "snapshot", "snapshot_diff")
}
INSIGHT = load_schema("insights_line")["$defs"]


def enums_in(schema: Any) -> Iterator[list[Any]]:
    """Yield the value of every enum, however deep."""
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        for value in schema.values():
            yield from enums_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from enums_in(value)


@pytest.mark.parametrize("name", sorted(WITH_SEVERITIES))
def test_severities(name: str) -> None:
    """Wherever a severity stands, all of them do, in their order; null may stand beside them."""
    found = [enum for enum in enums_in(load_schema(name)) if set(enum) & set(Severity)]
    assert found
    for enum in found:
        assert [each for each in enum if each is not None] == list(Severity)


def test_comparisons() -> None:
    extras = {"tolerance", "reference_at_least", *Relation}
    assert set(PARTS["threshold"]["properties"]) - extras == set(Comparison)
    assert all(str(comparison) in PARTS["threshold"]["description"] for comparison in Comparison)


def test_references() -> None:
    assert PARTS["reference"]["then"]["enum"] == list(Reference)


def test_statistics() -> None:
    assert set(PARTS["statistic_name"]["else"]["enum"]) == {*STATISTICS, "age"}


def test_statuses() -> None:
    assert PARTS["rule"]["properties"]["status"]["enum"] == list(Status)


def test_trainers() -> None:
    trainers = PARTS["rule"]["properties"]["trainers"]["items"]["enum"]
    assert sorted(trainers) == list(rule_subjects())


def test_citations() -> None:
    assert set(PARTS["citation"]["properties"]) == {field.name for field in fields(Citation)}


def test_placeholders() -> None:
    description = PARTS["rule"]["properties"]["message"]["description"]
    assert all(f"{{{name}}}" in description for name in BUILT_IN_PLACEHOLDERS)


def test_a_rule_takes_what_a_condition_takes_but_a_label() -> None:
    condition, rule = PARTS["condition"]["properties"], PARTS["rule"]["properties"]
    assert {key: rule.get(key) for key in condition if key != "label"} == {
        key: value for key, value in condition.items() if key != "label"
    }
    assert "label" not in rule


def test_an_override_takes_the_parts_of_a_rule() -> None:
    override, rule = PARTS["override"]["properties"], PARTS["rule"]["properties"]
    for key in ("severity", "threshold", "window"):
        assert override[key] == rule[key]


def test_origins_of_a_threshold() -> None:
    assert (
        INSIGHT["fired"]["properties"]["threshold_origin"]["enum"]
        == PARTS["rule"]["properties"]["threshold_origin"]["enum"]
    )


@pytest.mark.parametrize(
    ("part", "event"),
    [
        ("fired", InsightFired),
        ("escalated", InsightEscalated),
        ("folded", InsightFolded),
        ("closed", InsightClosed),
    ],
)
def test_insight_lines_hold_the_fields_of_the_events(part: str, event: type[Any]) -> None:
    # Whether an episode was resolved is told by the name of the event.
    told = {field.name for field in fields(event)} - {"resolved"}
    assert set(INSIGHT[part]["required"]) == set(INSIGHT[part]["properties"])
    assert set(INSIGHT[part]["properties"]) == {"event", *told}


def test_learning_rate_phases() -> None:
    phases = PARTS["rule"]["properties"]["learning_rate_phase"]["items"]["enum"]
    assert phases == list(LearningRatePhase)


def test_the_whole_run_as_a_window() -> None:
    assert PARTS["window"]["then"]["enum"] == list(WholeRun)
