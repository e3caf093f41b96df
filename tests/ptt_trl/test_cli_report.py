"""ptt report writes the reports of any run from its files, and never ends with a traceback."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.ptt_trl.cli.main import main
from tests.ptt_trl.recorded_run import diverging, write_run

ENDED: list[MetricsEntry] = [Milestone("train_end", 60)]


def ptt(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def as_trainer_state(path: Path) -> Path:
    """Write the rows of the diverging run as a trainer's state."""
    history = [
        {"step": each.step, **each.row.values}
        for each in diverging()
        if isinstance(each, LoggedRow)
    ]
    path.write_text(json.dumps({"global_step": 60, "max_steps": 100, "log_history": history}))
    return path


@pytest.fixture(name="run_dir")
def _run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "ptt", diverging() + ENDED, final={})


def test_it_prints_the_paths_of_what_it_wrote(run_dir: Path) -> None:
    result = ptt("report", run_dir)
    assert (result.exit_code, result.stderr) == (0, "")
    written = [Path(line) for line in result.stdout.splitlines()]
    assert written[:2] == [
        run_dir / "reports" / "run_report.md",
        run_dir / "reports" / "run_report.html",
    ]
    assert len(written) > 5
    assert all(path.is_file() for path in written)


def test_the_second_time_gives_the_same_bytes(run_dir: Path) -> None:
    def read() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}

    assert ptt("report", run_dir).exit_code == 0
    first = read()
    assert ptt("report", run_dir).exit_code == 0
    assert read() == first


def test_it_writes_where_it_is_told_to_and_nowhere_else(run_dir: Path, tmp_path: Path) -> None:
    assert ptt("report", run_dir, "--output", tmp_path / "a" / "b").exit_code == 0
    assert (tmp_path / "a" / "b" / "run_report.html").is_file()
    assert not (run_dir / "reports").exists()


def test_a_run_that_another_tool_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = as_trainer_state(tmp_path / "trainer_state.json")
    monkeypatch.chdir(tmp_path)
    result = ptt("report", state, "--trainer", "dpo")
    assert result.exit_code == 0
    assert "one log every step, from the rows" in result.stderr
    report = (tmp_path / "ptt-report" / "run_report.md").read_text()
    assert (
        "**Trainer:** DPO | **Status:** Recorded as trainer-state | **Steps:** 60 of 100" in report
    )
    assert "rule `loss_divergence`" in report
    assert (tmp_path / "ptt-report" / "plots" / "reward_margin.png").is_file()


def test_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss"])
        writer.writerows([step, 1 / step] for step in range(1, 40))
    result = ptt("report", path, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "| loss | 1 |" in (tmp_path / "out" / "run_report.md").read_text()


def test_own_rules_and_another_trainer_are_judged_anew(run_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    result = ptt("report", run_dir, "--trainer", "sft", "--output", other)
    assert result.exit_code == 0
    report = (other / "run_report.md").read_text()
    assert "**Trainer:** SFT" in report
    assert "margin_collapse" not in report
    # What the folder itself says is left as it was.
    assert "margin_collapse" in (run_dir / "insights.jsonl").read_text()


def test_a_run_that_has_no_end_yet(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path, diverging())
    assert ptt("report", run_dir).exit_code == 0
    report = (run_dir / "reports" / "run_report.md").read_text()
    assert "**Status:** Not finished" in report


def test_the_parent_of_a_run_directory_is_answered_with_the_right_one(run_dir: Path) -> None:
    result = ptt("report", run_dir.parent)
    assert result.exit_code == 3
    assert result.stderr == (
        f"{run_dir.parent} is no run directory: it has no run_metadata_start.json; "
        f"did you mean {run_dir}?\n"
    )


def test_a_broken_line_is_told_and_the_rest_is_reported(run_dir: Path) -> None:
    with (run_dir / "metrics.jsonl").open("ab") as file:
        file.write(b"what?\n")
    result = ptt("report", run_dir)
    assert result.exit_code == 3
    assert "metrics.jsonl:63: no metrics line" in result.stderr
    assert (run_dir / "reports" / "run_report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["report", "nowhere"], 2, "'nowhere' does not exist"),
        (["report", ".", "--trainer", "dpoo"], 2, "no trainer 'dpoo'; did you mean 'dpo'?"),
        (["report", "notes.txt"], 3, "notes.txt: no format that is known"),
        (["reprot"], 2, "No such command 'reprot'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("It went well.")
    result = ptt(*arguments)
    assert result.exit_code == code
    assert said in result.stderr.splitlines()[-1]


def test_rules_that_are_broken_are_located(run_dir: Path) -> None:
    (run_dir / "insights.jsonl").unlink()
    first = sorted((run_dir / "rules").iterdir())[0]
    first.write_text("rules: [")
    result = ptt("report", run_dir)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"{first}:2:1: not valid YAML")


def test_a_place_that_cannot_be_written_is_one_line(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = ptt("report", run_dir, "--output", tmp_path / "taken" / "below")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: cannot read or write {tmp_path / 'taken' / 'below'}: {os.strerror(20)}\n"
    )


def test_without_the_extra_it_says_what_to_install(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if ".ptt_trl.report" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = ptt("report", run_dir)
    assert result.exit_code == 2
    assert 'pip install "post-training-toolkit[trl]"' in result.stderr
