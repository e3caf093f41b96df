"""Every example in the README and the docs works as written."""

from __future__ import annotations

import copy
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from trl import DPOConfig

from post_training_toolkit.agents.cli.main import main as ptt_agents_main
from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.rule_tests import load_rule_tests, run_rule_test
from post_training_toolkit.ptt_trl.cli.main import main as ptt_main
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import read_file, shipped_sources

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/rules.md", "docs/ci.md", "docs/early_stopping.md", "docs/agents.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return [body for found, body in BLOCK.findall(text) if found == language]


YAML_BLOCKS = [
    pytest.param(body, id=f"{page}-{index}")
    for page in PAGES
    for index, body in enumerate(_blocks(page, "yaml"))
    if "version:" in body
]


@pytest.mark.parametrize("body", YAML_BLOCKS)
def test_yaml_examples_are_valid_rules_or_passing_tests(body: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(body)
    if "\ntests:" in body:
        rules = load_bundle(shipped_sources()).rules
        assert [run_rule_test(test, rules).passed for test in load_rule_tests(path)] == [True, True]
    else:
        assert load_bundle([*shipped_sources(), read_file(path)])


def _write_agent_runs(folder: Path) -> None:
    """Write the trace of the documents, as often as makes a pair."""
    trace = _blocks("docs/agents.md", "jsonl")[0]
    other = trace.replace("ep_001", "ep_002").replace("true", "false").replace("search...", "see")
    (folder / "agent_runs.jsonl").write_text(trace + other)


def test_python_examples_of_the_agents_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_agent_runs(tmp_path)
    names: dict[str, Any] = {}
    for page in ("docs/agents.md", "docs/training_data.md"):
        for block in _blocks(page, "python"):
            exec(compile(block, page, "exec"), names)
    # The example of the writer has added a second success.
    assert len(names["dataset"]) == 2


def test_python_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules.yaml").write_text(_blocks("README.md", "yaml")[0])
    _write_agent_runs(tmp_path)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, seed=0)
    # What a reader brings; a model without a name needs its reference given.
    arguments = DPOConfig(
        output_dir="my_run",
        max_steps=2,
        use_cpu=True,
        bf16=False,
        report_to="none",
        precompute_ref_log_probs=True,
    )
    names = {
        "model": copy.deepcopy(model),
        "tokenizer": tokenizer,
        "train_dataset": preference_dataset(16, seed=0),
        "training_args": arguments,
    }
    for block in _blocks("README.md", "python"):
        exec(compile(block, "README.md", "exec"), names)
    tree = re.findall(r"^( {4})?[├└]── (\S+)", (ROOT / "README.md").read_text(), re.M)
    promised = {f"reports/{name}" if indented else name for indented, name in tree}
    assert len(promised) == 12
    left = {name for name in promised if (tmp_path / "my_run" / "ptt" / name).exists()}
    # It did not die, and took no snapshots.
    assert promised - left == {"postmortem.json", "snapshots/", "diffs/"}


def test_shell_examples_name_real_targets_and_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules.yaml").write_text(_blocks("README.md", "yaml")[0])
    _write_agent_runs(tmp_path)
    makefile = (ROOT / "Makefile").read_text()
    commands = [
        shlex.split(line, comments=True)
        for page in ("README.md", "CONTRIBUTING.md")
        for body in _blocks(page, "bash")
        for line in body.splitlines()
    ]
    assert ["make", "demo"] in commands
    assert ["make", "test"] in commands
    for program, *arguments in commands:
        if program == "make":
            assert f"\n{arguments[0]}:" in makefile
        elif program == "ptt-agents":
            done = CliRunner().invoke(ptt_agents_main, arguments)
            assert done.exit_code == 0, (arguments, done.output)
        elif arguments[0] in ("replay", "backtest", "postmortem", "report", "diff", "compare"):
            # The runs that these read are made by their own tests; the words are checked here.
            words = {each for each in arguments if each.startswith("--")}
            command = {"ptt": ptt_main, "ptt-rules": main}[program]
            shown = CliRunner().invoke(command, [arguments[0], "--help"]).stdout
            assert all(word in shown for word in words)
        else:
            assert program == "ptt-rules"
            assert CliRunner().invoke(main, arguments).exit_code == 0, arguments


def test_the_readme_tells_the_severity_of_the_rules_it_names_and_how_many_there_are() -> None:
    readme = (ROOT / "README.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| ([\w ]+) \|", readme, re.M)
    rules = {rule.id: rule for rule in load_bundle(shipped_sources()).rules}
    for_agents = sum(rule.gate.trainers == {"agents"} for rule in rules.values())
    of_trainings = len(rules) - for_agents
    assert f"\n{of_trainings} rules for ten trainers and {for_agents} for agents" in readme
    assert len(table) >= 10
    for identifier, trainers, told in table:
        rule = rules[identifier]
        second = f" to {rule.escalation.severity}" if rule.escalation else ""
        assert told == f"{rule.severity}{second}"
        named = set(trainers.split(", ")) - {"all", "not fp16"}
        assert named == rule.gate.trainers


def test_the_error_lines_in_the_readme_are_what_validate_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rule = _blocks("README.md", "yaml")[0]
    broken = rule.replace("above: 2", "abov: 2").replace("severity: medium", "severity: hgh")
    (tmp_path / "my_rules.yaml").write_text(broken)
    result = CliRunner().invoke(main, ["validate", "my_rules.yaml"])
    assert result.exit_code == 3
    shown = [line for line in _blocks("README.md", "text") if "my_rules.yaml:" in line]
    assert result.stdout.splitlines() == shown[0].splitlines()


def test_the_figures_in_the_readme_are_those_of_the_scorecard() -> None:
    scorecard = (ROOT / "docs" / "scorecard.md").read_text().splitlines()
    readme = (ROOT / "README.md").read_text().splitlines()
    figures = [line for line in readme if line.startswith(("| judging |", "| second set |"))]
    assert len(figures) >= 4
    assert set(figures) <= set(scorecard), "copy the lines of docs/scorecard.md"
