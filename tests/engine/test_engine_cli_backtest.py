"""ptt-rules backtest: figures of rules on labelled runs, in text and JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from post_training_toolkit.engine.cli.main import main

OWN = """\
version: 1
rules:
  - id: high_own_loss
    title: The loss is high
    metric: my_loss
    threshold: {above: 5}
    severity: high
    message: "my loss is {value}"
    remediation: [Look at it.]
    citation: []
    threshold_origin: empirical
    detects: [loss_divergence]
"""


def _run(folder: Path, name: str, values: list[float], **labels: Any) -> None:
    run = folder / name
    run.mkdir(parents=True)
    healthy: dict[str, Any] = {"trainer": "dpo", "fault": None, "onset_step": None, "expected": []}
    (run / "run.yaml").write_text(json.dumps({**healthy, **labels}))
    lines: list[dict[str, Any]] = [{"event": "train_begin", "step": 0, "max_steps": len(values)}]
    lines += [
        {"step": step, "epoch": 0.0, "logs": {"my_loss": value}}
        for step, value in enumerate(values, start=1)
    ]
    lines.append({"event": "train_end", "step": len(values)})
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(name="runs")
def _runs(tmp_path: Path) -> Path:
    """Write a found fault, a missed one, a healthy run, and one with a false alarm."""
    folder = tmp_path / "runs"
    fault = {"fault": "f", "onset_step": 2, "expected": ["loss_divergence"]}
    _run(folder, "a-found", [1, 1, 1, 9, 9], **fault)
    _run(folder, "b-missed", [1, 1, 1, 4, 4], **fault)
    _run(folder, "c-healthy", [1, 2, 3, 2, 1])
    _run(folder, "d-alarm", [1, 7, 1, 1, 1])
    return folder


def _invoke(tmp_path: Path, runs: Path, *options: str) -> Result:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    return CliRunner().invoke(main, ["backtest", str(runs), "--rules", str(own), *options])


def test_text_tells_per_rule_and_per_mode_what_was_found(tmp_path: Path, runs: Path) -> None:
    done = _invoke(tmp_path, runs)
    assert (done.exit_code, done.stderr) == (0, "")
    rules, modes, missed, alarms, sums = done.stdout.split("\n\n")
    assert rules.splitlines()[1].split() == ["high_own_loss", "2", "1", "1", "0", "2"]
    assert "never fired: nan_hidden_by_filter, " in rules
    assert modes.splitlines()[1].split() == ["loss_divergence", "2", "1", "1", "2"]
    assert missed == "missed:\n  b-missed: loss_divergence"
    assert alarms.splitlines()[1].split("  ")[1:] == [
        "d-alarm",
        "high_own_loss",
        "high",
        "step 2",
        "the run is healthy",
    ]
    assert sums == (
        "4 runs, 2 of them healthy; 20 logged steps, 10 of them healthy\n"
        "found: 1 of 2 (50.0%), median delay 2 logged steps\n"
        "false alarms from medium up: 1 in healthy runs, 100.00 per 1000 logged steps; "
        "0 in others\n"
        "insights of low severity, not counted: 0\n"
    )


def test_json_holds_every_insight_of_every_run(tmp_path: Path, runs: Path) -> None:
    done = _invoke(tmp_path, runs, "--format", "json")
    document = json.loads(done.stdout)
    assert [run["run"] for run in document["runs"]] == [
        "a-found",
        "b-missed",
        "c-healthy",
        "d-alarm",
    ]
    [insight] = document["runs"][0]["insights"]
    expected = {
        "insight": "high_own_loss#1",
        "rule": "high_own_loss",
        "detects": ["loss_divergence"],
        "severity": "high",
        "step": 4,
        "last_step": 5,
        "caused_by": None,
        "verdict": "right",
    }
    assert insight == expected
    assert document["runs"][0]["found"] == {"loss_divergence": 2}
    assert document["totals"]["detection"] == 0.5
    assert document["totals"]["false_alarms_per_1000_healthy_steps"] == 100
    assert document["broken"] == []
    assert "suggestions" not in document


def test_several_processes_give_the_same_answer_in_the_same_order(
    tmp_path: Path, runs: Path
) -> None:
    for options in (["--format", "json"], ["--suggest"]):
        alone = _invoke(tmp_path, runs, *options)
        together = _invoke(tmp_path, runs, *options, "--jobs", "2")
        assert together.stdout == alone.stdout != ""


def test_suggest_shows_where_a_threshold_falls_silent(tmp_path: Path, runs: Path) -> None:
    lines = _invoke(tmp_path, runs, "--suggest").stdout.splitlines()
    [line] = [line for line in lines if "last of my_loss above" in line]
    assert line.split()[-3::2] == ["5", "-40%"]
    assert float(line.split()[-2]) == pytest.approx(7, rel=0.01)


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--min-detection", "0.5"], 0, ""),
        (["--min-detection", "0.51"], 1, "found 1 of 2, less than --min-detection 0.51\n"),
        (["--max-false-alarms", "1"], 0, ""),
        (["--max-false-alarms", "0"], 1, "1 false alarms, more than --max-false-alarms 0\n"),
    ],
)
def test_gates_decide_the_exit_code(
    tmp_path: Path, runs: Path, options: list[str], code: int, line: str
) -> None:
    done = _invoke(tmp_path, runs, *options)
    assert (done.exit_code, done.stderr) == (code, line)


def test_a_broken_run_is_told_and_the_others_are_scored(tmp_path: Path, runs: Path) -> None:
    (runs / "a-found" / "run.yaml").write_text("fault: null\n")
    (runs / "c-healthy" / "log.jsonl").write_text("nonsense\n")
    done = _invoke(tmp_path, runs, "--max-false-alarms", "0")
    assert done.exit_code == 3
    labels, log = done.stderr.splitlines()
    assert labels == f"{runs}/a-found/run.yaml:1:1: no key 'trainer'"
    assert log.startswith(f"{runs}/c-healthy/log.jsonl:1: no metrics line; ")
    assert "2 runs, 1 of them healthy" in done.stdout
    data = json.loads(_invoke(tmp_path, runs, "--format", "json").stdout)
    assert [each["name"] for each in data["broken"]] == ["a-found", "c-healthy"]


def test_a_folder_without_labels_is_wrong_usage(tmp_path: Path) -> None:
    done = _invoke(tmp_path, tmp_path)
    assert done.exit_code == 2
    assert "no folder in it has a run.yaml" in done.stderr


def test_invalid_rules_are_invalid_input(tmp_path: Path, runs: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nrules: [{id: x}]\n")
    done = _invoke(tmp_path, runs, "--rules", str(tmp_path / "bad.yaml"))
    assert done.exit_code == 3
    assert "bad.yaml:2:9: rule 'x': " in done.stderr


def test_the_zoo_is_scored_as_its_labels_say(tmp_path: Path) -> None:
    zoo = os.environ.get("PTT_ZOO", "")
    if not any(Path(zoo or "absent").glob("*/run.yaml")):
        pytest.skip("PTT_ZOO is no folder of labelled runs")
    done = CliRunner().invoke(main, ["backtest", zoo, "--format", "json", "--jobs", "2"])
    assert (done.exit_code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    runs = {run["run"]: run for run in document["runs"]}
    assert len(runs) == len(list(Path(zoo).glob("*/run.yaml")))
    assert "nonfinite_values" in runs["sft-nan-grad"]["found"]
    flip = runs["dpo-label-flip"]
    assert all(each["step"] >= 71 for each in flip["insights"] if each["verdict"] == "right")
    for run in runs.values():
        fitting = {*run["expected"], *run["acceptable"]}
        for each in run["insights"]:
            is_right = (
                run["fault"] is not None
                and each["step"] >= run["onset_step"]
                and bool(fitting & set(each["detects"]))
            )
            assert (each["verdict"] == "right") is is_right
