"""ptt-rules replay: the insights of a recorded run on stdout, or a line that says what is wrong."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.cli.recorded_run import _KEPT_AS
from post_training_toolkit.engine.cli.replay import _FORMATS
from post_training_toolkit.engine.readers.recording import RecordingFormat
from post_training_toolkit.engine.run import RunDescription

WriteRun = Callable[..., Path]
SFT = RunDescription("sft", {"fp16": False}, max_steps=12, logging_steps=1)
ROWS = [{"loss": 2.0, "grad_norm": 1.0}] * 8 + [{"loss": 0.0, "grad_norm": float("nan")}] * 4
OWN = """\
version: 1
rules:
  - id: own_loss
    title: The loss is what it is
    metric: loss
    threshold: {above: 1}
    severity: medium
    message: "loss is {value}"
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
    detects: [loss_plateau]
    keep_firing_for: 2
"""
BETA = """\
version: 1
rules:
  - id: above_beta
    title: The loss is above beta
    trainers: [kto]
    metric: loss
    threshold: {above: 10 * beta}
    severity: low
    message: "loss is {value}"
    remediation: [Nothing.]
    citation: []
    threshold_origin: empirical
    detects: [loss_plateau]
"""


def _replay(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def _table(folder: Path) -> Path:
    path = folder / "export.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss", "grad_norm"])
        writer.writerows([step, *row.values()] for step, row in enumerate(ROWS, start=1))
    return path


def test_jsonl_prints_the_insights_file_again(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    done = _replay(folder, "--format", "jsonl")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout_bytes == (folder / "insights.jsonl").read_bytes()
    assert b'"insight":"nan_hidden_by_filter#1"' in done.stdout_bytes


def test_the_installed_command_prints_the_insights_file_again(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    ptt_rules = Path(sys.executable).with_name("ptt-rules")
    command = [str(ptt_rules), "replay", str(folder), "--format", "jsonl"]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (folder / "insights.jsonl").read_bytes()


def test_text_is_a_timeline_and_a_summary(write_run: WriteRun) -> None:
    done = _replay(write_run(SFT, ROWS))
    assert (done.exit_code, done.stderr) == (0, "")
    fires, lasts, count, open_at_end, *not_judged = done.stdout.splitlines()
    assert fires.startswith("step 9   critical  fires  nan_hidden_by_filter#1  grad_norm is not ")
    assert lasts == (
        "step 12  critical  lasts  nan_hidden_by_filter#1  held 4 times from step 9 to 12"
    )
    assert count == "1 insight: 1 critical"
    assert open_at_end == "not over at the end: nan_hidden_by_filter#1"
    assert not_judged[0] == "rules that could not judge this run:"
    assert any(line.startswith("  loss_spike: ") for line in not_judged)


def test_json_is_a_list_of_insights(write_run: WriteRun) -> None:
    [insight] = json.loads(_replay(write_run(SFT, ROWS), "--format", "json").stdout)
    assert {key: insight[key] for key in ("rule", "severity", "detects", "caused_by")} == {
        "rule": "nan_hidden_by_filter",
        "severity": "critical",
        "detects": ["nonfinite_values"],
        "caused_by": None,
    }
    assert (insight["step"], insight["first_step"], insight["last_step"]) == (9, 9, 12)
    assert (insight["resolved"], insight["value"]) == (False, "NaN")


def test_a_run_without_insights_has_none(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS[:8])
    assert _replay(folder, "--format", "jsonl").stdout == ""
    assert json.loads(_replay(folder, "--format", "json").stdout) == []
    assert _replay(folder).stdout.splitlines()[0] == "no insights"


def test_an_insight_that_goes_away_is_told_to_resolve(tmp_path: Path, write_run: WriteRun) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    rows = [{"loss": 0.5}, {"loss": 2.0}, {"loss": 0.5}, {"loss": 0.5}, {"loss": 0.5}]
    done = _replay(write_run(SFT, rows), "--rules", tmp_path / "own.yaml")
    fires, resolves, count, *_ = done.stdout.splitlines()
    assert fires.split() == ["step", "2", "medium", "fires", "own_loss#1", "loss", "is", "2"]
    assert resolves.endswith("resolves  own_loss#1  held once at step 2")
    assert count == "1 insight: 1 medium"
    assert "not over at the end" not in done.stdout


def test_own_rules_take_the_place_of_the_recorded_ones(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS, OWN.encode())
    assert '"own_loss"' in _replay(folder, "--format", "json").stdout
    other = tmp_path / "other.yaml"
    other.write_text(OWN.replace("own_loss", "other_loss"))
    found = json.loads(_replay(folder, "--format", "json", "--rules", other).stdout)
    assert {each["rule"] for each in found} == {"nan_hidden_by_filter", "other_loss"}


def test_a_file_of_another_tool_is_judged_by_the_shipped_rules(tmp_path: Path) -> None:
    path = _table(tmp_path)
    done = _replay(path, "--trainer", "sft", "--format", "json")
    [insight] = json.loads(done.stdout)
    assert (insight["rule"], insight["step"]) == ("nan_hidden_by_filter", 9)
    assert [line.removeprefix(f"{path}: ") for line in done.stderr.splitlines()] == [
        "the trainer's arguments are not known: rules that depend on them cannot judge "
        "(give --config)",
        "planned length taken from the last step: 12 (--max-steps if the run ended early)",
        "one log every step, from the rows",
    ]


def test_nothing_is_guessed_where_everything_is_given(tmp_path: Path) -> None:
    (tmp_path / "args.yaml").write_text("beta: 0.1\n")
    (tmp_path / "own.yaml").write_text(BETA)
    given = ["--trainer", "kto", "--max-steps", "99", "--logging-steps", "1"]
    rules = ["--rules", tmp_path / "own.yaml", "--config", tmp_path / "args.yaml"]
    done = _replay(_table(tmp_path), *given, *rules, "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "above_beta" in {each["rule"] for each in json.loads(done.stdout)}


def test_what_is_given_wins_over_what_a_run_directory_says(
    tmp_path: Path, write_run: WriteRun
) -> None:
    (tmp_path / "args.json").write_text('{"beta": 0.1}')
    (tmp_path / "own.yaml").write_text(BETA)
    options = ["--rules", tmp_path / "own.yaml", "--format", "json"]
    folder = write_run(SFT, ROWS)
    given = ["--trainer", "kto", "--config", tmp_path / "args.json"]
    assert "above_beta" not in _replay(folder, *options).stdout
    assert "above_beta" in _replay(folder, *options, *given).stdout


@pytest.mark.parametrize(
    ("severity", "code"), [("low", 1), ("medium", 1), ("high", 0), ("critical", 0)]
)
def test_fail_on_decides_the_exit_code(
    tmp_path: Path, write_run: WriteRun, severity: str, code: int
) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    folder = write_run(SFT, ROWS[:8])
    done = _replay(folder, "--rules", tmp_path / "own.yaml", "--fail-on", severity)
    assert done.exit_code == code


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
    done = _replay(folder)
    assert done.exit_code == 3
    [line] = done.stderr.splitlines()
    assert line.startswith(message.format(folder=folder))


def test_what_was_told_before_a_broken_line_is_printed(write_run: WriteRun) -> None:
    folder = write_run(SFT, ROWS)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b"broken\n")
    done = _replay(folder, "--format", "jsonl")
    assert done.exit_code == 3
    assert done.stdout_bytes == (folder / "insights.jsonl").read_bytes()


def test_a_broken_file_of_another_tool_is_invalid_input(tmp_path: Path) -> None:
    path = _table(tmp_path)
    with path.open("a") as file:
        file.write("13\n")
    done = _replay(path, "--trainer", "sft")
    assert done.exit_code == 3
    assert done.stderr.splitlines()[-1] == f"{path}:14: 1 cells under a header of 3"
    assert "nan_hidden_by_filter#1" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [("- beta\n", ":1:1: expected the trainer's arguments by name"), ("a: [", ":2:1: not valid")],
)
def test_broken_arguments_are_invalid_input(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "args.yaml").write_text(text)
    done = _replay(_table(tmp_path), "--config", tmp_path / "args.yaml")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(f"{tmp_path}/args.yaml{message}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trainer", "dop"], "no trainer 'dop'; did you mean 'dpo'?"),
        (["--fail-on", "hgh"], "'hgh' is not one of"),
        (["--max-steps", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_option_is_wrong_usage(tmp_path: Path, options: list[str], message: str) -> None:
    done = _replay(_table(tmp_path), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("arguments", [[], ["absent"]])
def test_a_path_that_is_not_there_is_wrong_usage(arguments: list[str]) -> None:
    done = _replay(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_run_is_invalid_input() -> None:
    done = _replay(__file__)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "no format that is known; say which with --from: run-directory, " in done.stderr


def test_the_formats_of_the_option_are_those_of_the_readers() -> None:
    """They are written down twice, so that --help imports no reader."""
    assert tuple(RecordingFormat) == _KEPT_AS


@pytest.mark.parametrize("output", _FORMATS)
def test_no_progress_is_shown_where_nobody_looks(write_run: WriteRun, output: str) -> None:
    done = _replay(write_run(SFT, ROWS), "--format", output)
    assert done.stderr == ""


def test_help_of_replay_and_backtest_imports_no_engine() -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from post_training_toolkit.engine.cli.main import main\n"
        "for name in ('replay', 'backtest'):\n"
        "    assert CliRunner().invoke(main, [name, '-h']).exit_code == 0\n"
        "print({'torch', 'river', 'numpy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"
