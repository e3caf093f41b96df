"""ptt-rules list: the rules at a glance, for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.sources import shipped_sources

RULES = load_bundle(shipped_sources()).rules

OWN = """\
version: 1
rules:
  - id: short
    title: A short title
    trainers: [sft, dpo]
    metric: loss
    threshold: {above: 5}
    severity: medium
    escalation: {severity: high, threshold: {above: 9}}
    tags: [stability]
    status: experimental
    message: high
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
  - id: a_longer_name
    title: Another
    metric: entropy
    threshold: {below: 0.1}
    severity: low
    message: low
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [entropy_collapse]
"""


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> str:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return str(path)


def _list(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["list", *arguments])


def _ids(*arguments: str) -> set[str]:
    done = _list(*arguments, "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    return {entry["id"] for entry in json.loads(done.stdout)}


def test_every_shipped_rule_is_a_line_of_the_table() -> None:
    done = _list()
    assert (done.exit_code, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["id", "severity", "trainers", "status", "title"]
    assert [line.split()[0] for line in lines] == [rule.id for rule in RULES]


def test_the_columns_are_aligned_and_show_both_levels(own: str) -> None:
    assert _list(own).stdout == (
        "id             severity      trainers  status        title\n"
        "short          medium, high  dpo, sft  experimental  A short title\n"
        "a_longer_name  low           all       stable        Another\n"
    )


def test_json_holds_what_programs_select_by(own: str) -> None:
    first, second = json.loads(_list(own, "--format", "json").stdout)
    assert first == {
        "id": "short",
        "title": "A short title",
        "severity": "medium",
        "highest_severity": "high",
        "trainers": ["dpo", "sft"],
        "status": "experimental",
        "tags": ["stability"],
        "detects": ["loss_spike"],
        "metrics": ["loss"],
        "threshold_origin": "empirical",
        "file": own,
        "line": 3,
    }
    assert (second["trainers"], second["line"]) == ([], 17)


def test_filters_are_joined(own: str) -> None:
    assert _ids(own, "--trainer", "grpo") == {"a_longer_name"}
    assert _ids(own, "--trainer", "sft") == {"short", "a_longer_name"}
    assert _ids(own, "--severity", "high") == {"short"}
    assert _ids(own, "--severity", "critical") == set()
    assert _ids(own, "--severity", "low") == {"short", "a_longer_name"}
    assert _ids(own, "--tag", "stability") == {"short"}
    assert _ids(own, "--detects", "entropy_collapse") == {"a_longer_name"}
    assert _ids(own, "--detects", "entropy_collapse", "--severity", "medium") == set()


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_filter_keeps_what_can_reach_it(severity: Severity) -> None:
    expected = {rule.id for rule in RULES if rule.highest_severity.rank >= severity.rank}
    assert _ids("--severity", str(severity)) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trainer", "dpoo"], "'dpoo' is not one of"),
        (["--severity", "urgent"], "'urgent' is not one of"),
        (
            ["--detects", "nonfinite_value"],
            "no rule has 'nonfinite_value'; did you mean 'nonfinite_values'?",
        ),
        (["--tag", "qqq"], "no rule has 'qqq'"),
        (["absent.yaml"], "no file or folder absent.yaml"),
    ],
)
def test_a_filter_that_can_match_nothing_is_wrong_usage(arguments: list[str], said: str) -> None:
    done = _list(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_an_invalid_file_ends_with_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("severity: low", "severity: lo"))
    done = _list(str(path))
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"{path}:21:15: rule 'a_longer_name': 'severity' cannot be 'lo'" in done.stderr


def test_rules_for_agents_are_listed_without_those_for_every_trainer() -> None:
    listed = CliRunner().invoke(main, ["list", "--trainer", "agents", "--format", "json"]).stdout
    trainers = [rule["trainers"] for rule in json.loads(listed)]
    assert trainers
    assert all(each == ["agents"] for each in trainers)
