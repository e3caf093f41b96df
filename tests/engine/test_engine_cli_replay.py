"""ptt-rules replay: the insights of a recorded run on stdout, or a line that says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.run import RunDescription

WriteRun = Callable[..., Path]
SFT = RunDescription("sft", {"fp16": False}, max_steps=12, logging_steps=1)
ROWS = [{"loss": 2.0, "grad_norm": 1.0}] * 8 + [{"loss": 0.0, "grad_norm": float("nan")}] * 4


def test_replay_prints_the_insights_file_again(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    done = CliRunner().invoke(main, ["replay", str(folder)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout_bytes == (folder / "insights.jsonl").read_bytes()
    assert b'"insight":"nan_hidden_by_filter#1"' in done.stdout_bytes


def test_the_installed_command_prints_the_insights_file_again(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    command = [str(Path(sys.executable).with_name("ptt-rules")), "replay", str(folder)]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (folder / "insights.jsonl").read_bytes()


def test_a_run_without_insights_prints_nothing(write_run: WriteRun) -> None:
    done = CliRunner().invoke(main, ["replay", str(write_run(SFT, ROWS[:8]))])
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.jsonl", None, "{folder} is no run directory: it has no metrics.jsonl"),
        ("metrics.jsonl", "{{}}\n", "{folder}/metrics.jsonl:1: no metrics line; expected an"),
        ("run_metadata_start.json", "{{", "{folder}/run_metadata_start.json is no start metadata"),
        ("rules/001-common.yaml", "[", "{folder}/rules/001-common.yaml:2:1: not valid YAML"),
    ],
)
def test_a_broken_run_directory_is_invalid_input(
    write_run: WriteRun, name: str, text: str | None, message: str
) -> None:
    folder = write_run(SFT, ROWS)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text.format())
    done = CliRunner().invoke(main, ["replay", str(folder)])
    assert done.exit_code == 3
    [line] = done.stderr.splitlines()
    assert line.startswith(message.format(folder=folder))


def test_what_was_told_before_a_broken_line_is_printed(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b"broken\n")
    done = CliRunner().invoke(main, ["replay", str(folder)])
    assert done.exit_code == 3
    assert done.stdout_bytes == (folder / "insights.jsonl").read_bytes()


@pytest.mark.parametrize("arguments", [[], ["absent"], [__file__]])
def test_anything_but_a_folder_is_wrong_usage(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["replay", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
