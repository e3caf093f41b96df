"""The pre-commit hook and the GitHub action do what they promise, as far as a machine can tell."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from post_training_toolkit.engine.cli.formats.registry import FORMATS
from post_training_toolkit.rules.lint import CODES

ROOT = Path(__file__).parent.parent
BINARIES = Path(sys.executable).parent
GOOD = """\
version: 1
rules:
  - id: my_rule
    title: A title
    trainers: [dpo]
    metric: loss
    threshold: {above: 5}
    severity: high
    message: "loss {value:.2f}"
    remediation: [do this]
    citation: []
    threshold_origin: empirical
    detects: [loss_spike]
"""
DEAD = GOOD.replace("metric: loss", "metric: los")
WRONG = GOOD.replace("severity: high", "severity: hihg")


def _read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}", **more}


def test_the_hook_is_one_that_pre_commit_understands() -> None:
    [hook] = _read(".pre-commit-hooks.yaml")
    assert hook["id"] == "ptt-rules-validate"
    assert (hook["language"], hook["types"]) == ("python", ["yaml"])
    known = {"id", "name", "description", "entry", "args", "language", "types", "files"}
    assert set(hook) <= {*known, "require_serial"}
    # With several processes an id that two files use would be found by none.
    assert hook["require_serial"] is True


@pytest.mark.parametrize(
    "path",
    [
        "rules.yaml",
        "my_rules.yaml",
        "configs/loss-rules.yml",
        "my_rule.yaml",
        "my_rule.test.yaml",
        "rules/dpo.yaml",
        "team_rules/deep/any.yml",
    ],
)
def test_the_hook_looks_at_files_and_folders_named_for_rules(path: str) -> None:
    [hook] = _read(".pre-commit-hooks.yaml")
    assert re.search(hook["files"], path)


@pytest.mark.parametrize(
    "path", ["config.yaml", "prerequisites.yaml", "rulesets.yaml", "rules.json", "rules/readme.md"]
)
def test_the_hook_looks_at_nothing_else(path: str) -> None:
    [hook] = _read(".pre-commit-hooks.yaml")
    assert not re.search(hook["files"], path)


@pytest.mark.parametrize(
    ("text", "exit_code", "said"), [(GOOD, 0, ""), (DEAD, 1, "[dead-rule]"), (WRONG, 3, "'hihg'")]
)
def test_the_hook_passes_good_files_and_stops_others(
    tmp_path: Path, text: str, exit_code: int, said: str
) -> None:
    """pre-commit appends the names of the files to the entry and its arguments."""
    (tmp_path / "my rules.yaml").write_text(text)
    [hook] = _read(".pre-commit-hooks.yaml")
    command = [*shlex.split(hook["entry"]), *hook["args"], "my rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    assert done.returncode == exit_code, done.stderr
    assert said in done.stdout
    assert bool(done.stdout) == bool(exit_code)


def _steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = _read("action.yml")["runs"]["steps"]
    return steps


def _run_step(
    name: str, folder: Path, inputs: dict[str, str], **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner does: the inputs put into its environment, the script by bash."""
    [step] = [step for step in _steps() if step["name"] == name]
    defaults = {key: each["default"] for key, each in _read("action.yml")["inputs"].items()}
    values = {f"inputs.{key}": value for key, value in {**defaults, **inputs}.items()}
    values["github.action_path"] = str(ROOT)
    environment = {
        variable: re.sub(r"\$\{\{ (\S+) \}\}", lambda match: values[match[1]], text)
        for variable, text in step["env"].items()
    }
    script = folder / "step.sh"
    script.write_text(step["run"])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder,
        env=_environment(**environment, **more),
        capture_output=True,
        text=True,
    )


def test_the_action_is_composite_and_every_script_names_its_shell() -> None:
    action = _read("action.yml")
    assert action["runs"]["using"] == "composite"
    assert all(each["description"] for each in action["inputs"].values())
    for step in _steps():
        assert ("run" in step) != ("uses" in step)
        assert "run" not in step or step["shell"] == "bash"


def test_no_input_can_become_code() -> None:
    """An expression in a script is pasted into it before bash sees it."""
    for step in _steps():
        assert "${{" not in step.get("run", "")


def test_every_input_is_used_and_every_used_one_is_declared() -> None:
    text = (ROOT / "action.yml").read_text().partition("\nruns:")[2]
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(_read("action.yml")["inputs"])


@pytest.mark.parametrize(
    ("text", "strict", "exit_code", "said"),
    [
        (GOOD, "true", 0, ""),
        (DEAD, "true", 1, "::warning file=my rules.yaml,line=6,col=13,title=dead-rule::"),
        (DEAD, "false", 0, "::warning file=my rules.yaml,line=6,col=13,title=dead-rule::"),
        (WRONG, "false", 3, "::error file=my rules.yaml,line=8,col=15,title=invalid::"),
        (GOOD, "yes", 2, "::error title=usage::strict must be true or false"),
    ],
)
def test_the_action_annotates_and_fails_as_it_should(
    tmp_path: Path, text: str, strict: str, exit_code: int, said: str
) -> None:
    (tmp_path / "my rules.yaml").write_text(text)
    done = _run_step("Validate", tmp_path, {"paths": "my rules.yaml\n", "strict": strict})
    assert done.returncode == exit_code, done.stderr
    assert done.stdout.startswith(said)
    assert bool(done.stdout) == bool(said)


def test_the_action_takes_one_path_a_line(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "two.yaml").write_text(
        GOOD.replace("my_rule", "other").replace("loss\n", "entropy\n")
    )
    done = _run_step("Validate", tmp_path, {"paths": "one.yaml\n\ndeep\n"})
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "2 rules in 2 files valid, 0 findings\n"


@pytest.mark.parametrize(
    "hostile", ["$(touch hacked)", "`touch hacked`", "; touch hacked", "--help", "-x", "*"]
)
def test_a_path_is_never_run_nor_taken_for_an_option(tmp_path: Path, hostile: str) -> None:
    for name, given in (("Validate", "paths"), ("Test", "tests")):
        done = _run_step(name, tmp_path, {given: hostile})
        assert done.returncode != 0
        assert not (tmp_path / "hacked").exists()
        assert done.stdout == ""


TESTS = """\
version: 1
rule_files: [my_rules.yaml]
tests:
  - name: a loss of six is told
    trainer: dpo
    series: {loss: 6x5}
    rules: [my_rule]
    expect: [{rule: my_rule, step: STEP}]
"""


@pytest.mark.parametrize(("step", "exit_code"), [("1", 0), ("2", 1)])
def test_the_action_runs_rule_tests(tmp_path: Path, step: str, exit_code: int) -> None:
    (tmp_path / "my_rules.yaml").write_text(GOOD)
    (tmp_path / "my tests.yaml").write_text(TESTS.replace("STEP", step))
    done = _run_step("Test", tmp_path, {"tests": "my tests.yaml"})
    assert done.returncode == exit_code, done.stderr


def test_tests_run_only_where_some_are_named() -> None:
    [step] = [step for step in _steps() if step["name"] == "Test"]
    assert step["if"] == "inputs.tests != ''"


@pytest.mark.parametrize(
    ("version", "installed"),
    [("", str(ROOT)), ("0.1.0", "post-training-toolkit==0.1.0"), ("1; x", None)],
)
def test_the_action_installs_itself_or_the_version_that_is_asked_for(
    tmp_path: Path, version: str, installed: str | None
) -> None:
    """A stand-in for python notes what pip was asked for."""
    stand_in = tmp_path / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
    done = _run_step("Install", tmp_path, {"version": version}, PATH=path)
    assert done.returncode == 0
    asked = done.stdout.splitlines()
    assert asked[:-1] == ["-m", "pip", "install", "--quiet", "--"]
    # However odd, it stays one argument.
    assert asked[-1] == (installed or f"post-training-toolkit=={version}")


def test_the_page_about_ci_names_every_format_input_and_hook() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    named = set(re.findall(r"^\| `([a-z][\w-]*)` \|", page, re.M))
    assert named == {*FORMATS, *_read("action.yml")["inputs"]}
    [hook] = _read(".pre-commit-hooks.yaml")
    assert f"- id: {hook['id']}\n" in page
    for body in re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S):
        assert yaml.safe_load(body)


def test_the_page_about_findings_explains_every_code() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "findings.md").read_text(), re.M)
    assert [code for heading in headings for code in heading.split(", ")] == list(CODES)
