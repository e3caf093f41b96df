"""ptt-rules validate: problems on stdout, everything else on stderr, and the exit code for CI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main

GOOD = """\
version: 1
rules:
  - id: my_rule
    title: A title
    metric: loss
    threshold: {above: 5}
    severity: high
    message: "loss {value:.2f}"
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""

FORBIDDEN = {"torch", "transformers", "trl", "pandas", "matplotlib", "scipy", "river"}

FIVE_MISTAKES = """\
version: 1
extends: [pack:defualt]
rules:
  - id: first
    title: Unknown severity
    metric: loss
    threshold: {above: 2}
    severity: hihg
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
  - id: second
    title: Misspelt key
    metric: loss
    treshold: {above: 2}
    severity: high
    message: a message
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
  - id: third
    title: An expression and a placeholder that are none
    metric: loss
    threshold: {above: "2 +"}
    severity: high
    message: "{valeu}"
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""


def _validate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, arguments)])


def test_without_a_path_the_shipped_packs_are_checked_and_clean() -> None:
    done = _validate("--strict")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.endswith("files valid, 0 findings\n")


def test_a_folder_is_checked_as_one(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "deep" / "b.yml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no rules")
    done = _validate(tmp_path)
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [
        f"{tmp_path}/deep/b.yml:3:9: rule 'my_rule': this id is taken at {tmp_path}/a.yaml:3; "
        "ids are unique, and 'overrides' changes an existing rule"
    ]
    (tmp_path / "deep" / "b.yml").write_text(
        GOOD.replace("my_rule", "other").replace("above: 5", "below: 0.1")
    )
    done = _validate(tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "2 rules in 2 files valid, 0 findings\n"


def test_every_mistake_is_a_line_on_stdout_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(FIVE_MISTAKES)
    done = _validate(path)
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{path}:2:11",
        f"{path}:8:15",
        f"{path}:17:5",
        f"{path}:27:24",
        f"{path}:29:14",
    ]
    for line, said in zip(
        lines,
        [
            "no pack 'defualt'; did you mean 'default'?",
            "rule 'first': 'severity' cannot be 'hihg'; did you mean 'high'?",
            "rule 'second': unknown key 'treshold'; did you mean 'threshold'?",
            "rule 'third': '2 +' is not a number or an arithmetic expression",
            "rule 'third': unknown placeholder {valeu}; did you mean 'value'?",
        ],
        strict=True,
    ):
        assert line.endswith(said)
    assert done.stderr == "5 problems\n"


def test_the_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("rules: {")
    two.write_text(GOOD.replace("high", "urgent"))
    done = _validate(one, two)
    assert done.exit_code == 3
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [str(one), str(two)]


@pytest.mark.parametrize(("option", "exit_code"), [([], 0), (["--strict"], 1)])
def test_a_finding_fails_only_a_strict_check(
    tmp_path: Path, option: list[str], exit_code: int
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(GOOD.replace("metric: loss", "trainers: [dpo]\n    metric: los"))
    done = _validate(path, *option)
    assert done.exit_code == exit_code
    assert done.stdout == (
        f"{path}:6:13: rule 'my_rule': no dpo run logs a metric 'los'; "
        "did you mean 'loss'? [dead-rule]\n"
    )
    assert done.stderr == "1 rule in 1 file valid, 1 finding\n"


def test_packs_that_a_file_extends_are_not_counted_as_its_own(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(GOOD.replace("version: 1", "version: 1\nextends: [pack:default]"))
    done = _validate(path)
    assert (done.exit_code, done.stderr) == (0, "1 rule in 1 file valid, 0 findings\n")


TESTS = """\
version: 1
tests:
  - name: a loss of six is told
    trainer: sft
    series: {loss: 6x5}
    expect: []
"""


def test_files_of_rule_tests_are_checked_as_such_and_are_no_rule_files(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(GOOD)
    (tmp_path / "tests.yaml").write_text(TESTS)
    done = _validate(tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "1 rule and 1 test in 2 files valid, 0 findings\n"
    (tmp_path / "tests.yaml").write_text(TESTS.replace("trainer:", "trianer:"))
    done = _validate(tmp_path)
    assert done.exit_code == 3
    place = f"{tmp_path}/tests.yaml"
    assert done.stdout.splitlines() == [
        f"{place}:3:5: key 'trainer' is missing: The trainer of the run; null for one that the "
        "toolkit does not know.",
        f"{place}:4:5: unknown key 'trianer'; did you mean 'trainer'?",
    ]


def test_a_file_with_both_rules_and_tests_is_a_rule_file(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(GOOD + TESTS.removeprefix("version: 1\n"))
    done = _validate(path)
    assert done.exit_code == 3
    assert f"{path}:13:1: unknown key 'tests'" in done.stdout


def test_a_test_file_that_is_empty_of_sense_is_told_like_a_rule_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("tests: [")
    done = _validate(path)
    assert done.exit_code == 3
    assert done.stdout.startswith(f"{path}:")
    assert "not valid YAML" in done.stdout


@pytest.mark.parametrize(("count", "last"), [(100, "unknown key"), (101, "... and 1 more")])
def test_at_most_a_hundred_lines_are_printed_and_the_rest_is_counted(
    tmp_path: Path, count: int, last: str
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(GOOD + "".join(f"wrong{index}: 1\n" for index in range(count)))
    done = _validate(path)
    lines = done.stdout.splitlines()
    assert len(lines) == min(count, 101)
    assert last in lines[-1]
    assert done.stderr == f"{count} problems\n"
    everything = json.loads(_validate(path, "--format", "json").stdout)
    assert len(everything["problems"]) == count


def test_a_path_that_is_not_there_is_wrong_usage_in_one_line(tmp_path: Path) -> None:
    done = _validate(tmp_path / "absent.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: no file or folder {tmp_path}/absent.yaml"
    assert "Traceback" not in done.stderr


def test_a_folder_without_rules_is_wrong_usage(tmp_path: Path) -> None:
    """A typing error in CI is not a pass."""
    done = _validate(tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"Error: no .yaml file in folder {tmp_path}"


def test_an_unknown_option_is_wrong_usage() -> None:
    done = _validate("--stirct")
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["--help"], "  ptt-rules validate team_rules/ --strict"),
        (["-h"], "  ptt-rules replay trainer_state.json"),
        (["validate", "--help"], "  ptt-rules validate team_rules/ more_rules.yaml --strict"),
        (["replay", "-h"], "  ptt-rules replay my_run/ptt"),
        (["list", "-h"], "  ptt-rules list --trainer dpo"),
        (["explain", "-h"], "  ptt-rules explain loss_spike"),
        (["docs", "-h"], "  ptt-rules docs --output docs"),
        (["new", "-h"], "  ptt-rules new my_rule --output team_rules/my_rule.yaml"),
        (["schema", "-h"], "  ptt-rules schema > rules.schema.json"),
    ],
)
def test_every_help_text_has_an_example_on_a_line_of_its_own(
    arguments: list[str], example: str
) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    assert any(line.startswith(f"  {example}") for line in done.stdout.splitlines())
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_the_help_states_every_exit_code() -> None:
    lines = CliRunner().invoke(main, ["--help"]).stdout.splitlines()
    start = next(index for index, line in enumerate(lines) if "Exit codes" in line)
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validate", "--format", "sarif"],
        ["list"],
        ["explain", "loss_spike"],
        ["new", "my_rule"],
        ["schema"],
        ["docs", "--help"],
        ["replay", "--help"],
        ["--version"],
    ],
)
def test_checking_rules_loads_no_heavy_library(arguments: list[str], tmp_path: Path) -> None:
    code = f"""
import atexit, sys
from post_training_toolkit.engine.cli.main import main
forbidden = {FORBIDDEN!r}
atexit.register(lambda: print("loaded:", *sorted(forbidden & set(sys.modules)), file=sys.stderr))
main({arguments!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "loaded:"
