"""ptt-agents: what people type, and what they are told when it is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.agents.cli.main import main

TRACE = """\
{"episode_id": "ep_1", "type": "episode_start", "task_id": "paris", "model": "m", "tools": [{"name": "find"}]}
{"episode_id": "ep_1", "step": 0, "type": "user_message", "content": "Find\\u001b[31m flights"}
{"episode_id": "ep_1", "step": 1, "type": "tool_call", "tool": "find", "args": {"to": "Paris"}}
{"episode_id": "ep_1", "step": 2, "type": "tool_result", "tool": "find", "result": "%s"}
{"episode_id": "ep_1", "step": 3, "type": "assistant_message", "content": "None left"}
{"episode_id": "ep_1", "step": 4, "type": "episode_end", "success": false, "reward": 0.5, "cost": 0.25}
""" % "\\n".join(f"line {number}" for number in range(30))  # noqa: E501, UP031


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "agent_runs.jsonl"
    path.write_text(TRACE)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_help_teaches_every_command_and_names_the_formats() -> None:
    shown = invoke("--help").stdout
    for command in ("validate", "show", "analyze", "convert"):
        assert f"ptt-agents {command} " in shown
        assert "Examples:" in invoke(command, "--help").stdout
    formats = invoke("validate", "--help").stdout
    assert re.search(r"native +the toolkit's own JSON lines", formats)


def test_help_is_there_at_once_and_needs_no_library_of_data_sets() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from post_training_toolkit.agents.cli.main import main\n"
        "assert CliRunner().invoke(main, ['convert', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'pyarrow', 'ray', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_show_prints_an_episode_and_no_control_characters(runs: Path) -> None:
    shown = invoke("show", runs, "ep_1").stdout
    assert "ep_1  failure  reward 0.5" in shown
    assert "task: paris" in shown
    assert "[0] user\n    Find\\x1b[31m flights\n" in shown
    assert '-> find(to="Paris")' in shown
    assert "... 10 more lines, which --full shows" in shown
    full = invoke("show", runs, "ep_1", "--full").stdout
    assert "line 29" in full
    assert "--full" not in full


def test_show_lists_the_episodes_and_guesses_a_misspelt_one(runs: Path) -> None:
    listed = invoke("show", runs)
    assert listed.stdout == "ep_1  failure  reward 0.5  4 messages  1 tool calls  task paris\n"
    wrong = invoke("show", runs, "ep_2")
    assert wrong.exit_code == 2
    assert wrong.stderr == f"{runs}: no episode 'ep_2' among 1; did you mean 'ep_1'?\n"


def test_validate_says_what_a_file_holds(runs: Path, tmp_path: Path) -> None:
    sound = invoke("validate", runs)
    assert (sound.exit_code, sound.stdout) == (0, f"{runs}: native, 1 episodes\n")
    with runs.open("a") as file:
        file.write('{"episode_id": "ep_2", "step": 0, "type": "user_mes')
    broken = invoke("validate", runs)
    assert broken.exit_code == 3
    assert f"{runs}:7: episode 'ep_2': no JSON: " in broken.stderr
    assert broken.stdout == f"{runs}: native, 1 episodes, 1 bad records\n"
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    unknown = invoke("validate", other)
    assert unknown.exit_code == 3
    assert unknown.stderr == f"{other}: no format that is known here; see --help\n"


def test_validate_counts_other_files_of_a_folder(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Runs")
    (tmp_path / ".hidden.jsonl").write_text("{")
    found = invoke("validate", tmp_path)
    assert found.exit_code == 0
    assert found.stderr == "1 files in folders are of no format that is known here\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show"], "Missing argument 'PATH'"),
        (["validate"], "Missing argument 'PATH...'"),
        (["validate", "missing.jsonl"], "'missing.jsonl' does not exist"),
        (["validate", ".", "--format", "nativ"], "no format 'nativ'; did you mean 'native'?"),
        (["analyse"], "No such command 'analyse'"),
    ],
)
def test_wrong_usage_is_told_in_a_line(arguments: list[str], told: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output
