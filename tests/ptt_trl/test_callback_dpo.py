"""A run that does not learn is diagnosed, a healthy one is left alone, and files tell all of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from transformers import Trainer

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.schemas import load_schema

BROKEN = {"learning_rate": 2e-8, "max_steps": 40}


@pytest.fixture(scope="module", name="broken")
def _broken(run_dpo: Any, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A DPO run whose loss stays at ln 2, watched with no arguments at all."""
    output_dir = tmp_path_factory.mktemp("broken")
    trainer: Trainer = run_dpo(output_dir, DiagnosticsCallback(), **BROKEN)
    return trainer


@pytest.fixture(scope="module", name="run_dir")
def _run_dir(broken: Trainer) -> Path:
    return Path(str(broken.args.output_dir)) / "ptt"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_does_not_learn_is_told_high(run_dir: Path) -> None:
    events = read_insights(run_dir / "insights.jsonl")
    assert [
        (event.rule, event.severity) for event in events if isinstance(event, InsightFired)
    ] == [("dpo_loss_random", Severity.HIGH)]


def test_the_report_names_rule_citation_and_remedy(run_dir: Path) -> None:
    report = (run_dir / "reports" / "run_report.md").read_text()
    assert "**Trainer:** DPO | **Status:** Completed | **Steps:** 40 of 40" in report
    assert "1. **[HIGH]** DPO loss is stuck where it started: 0.693" in report
    assert "rule `dpo_loss_random`" in report
    assert "arXiv:2305.18290" in report
    assert "- Raise learning_rate 2 to 5 times" in report


def test_nothing_that_the_trainer_logged_is_lost(broken: Trainer, run_dir: Path) -> None:
    # The toolkit's own rows stand between the trainer's.
    own = {"preflight/parameters", "memory/mean"}
    rows = [
        entry
        for entry in read_metrics(run_dir / "metrics.jsonl")
        if isinstance(entry, LoggedRow) and not own & entry.row.values.keys()
    ]
    history = [dict(logs) for logs in broken.state.log_history]
    assert len(rows) == 41
    assert [row.step for row in rows] == [logs.pop("step") for logs in history]
    assert [row.row for row in rows] == [admit(logs) for logs in history]


def test_every_file_follows_its_schema(run_dir: Path) -> None:
    for name in ("run_metadata_start", "run_metadata_final"):
        jsonschema.validate(json.loads((run_dir / f"{name}.json").read_text()), load_schema(name))
    for name, schema in (("metrics", "metrics_line"), ("insights", "insights_line")):
        lines = _lines(run_dir / f"{name}.jsonl")
        assert lines
        for line in lines:
            jsonschema.validate(line, load_schema(schema))


def test_replaying_the_metrics_gives_the_insights_byte_for_byte(run_dir: Path) -> None:
    replayed = b"".join(insight_line(event) for event in replay_run_directory(run_dir))
    assert replayed == (run_dir / "insights.jsonl").read_bytes() != b""


def test_the_command_line_replays_it_too(run_dir: Path) -> None:
    command = [str(Path(sys.executable).with_name("ptt-rules")), "replay"]
    done = subprocess.run(
        [*command, str(run_dir), "--format", "jsonl"], capture_output=True, check=True
    )
    assert done.stdout == (run_dir / "insights.jsonl").read_bytes()


def test_metadata_say_what_ran_where(run_dir: Path) -> None:
    start = json.loads((run_dir / "run_metadata_start.json").read_text())
    assert start["trainer"] == "dpo"
    assert start["max_steps"] == 40
    assert start["configuration"]["learning_rate"] == 2e-8
    assert start["packages"]["trl"]
    assert start["model"]["class"] == "LlamaForCausalLM"
    assert start["model"]["parameters"] == start["model"]["trainable_parameters"] > 100_000
    final = json.loads((run_dir / "run_metadata_final.json").read_text())
    assert final["status"] == "completed"
    assert final["insights"] == [
        {
            "insight": "dpo_loss_random#1",
            "severity": "high",
            "caused_by": None,
            "ongoing": True,
        }
    ]
    assert final["failures"] == []


def test_insights_are_told_while_the_run_is_alive(
    run_dpo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dpo(tmp_path, DiagnosticsCallback(), **BROKEN)
    shown = capsys.readouterr().out
    finding = shown.index("[ptt] HIGH at step")
    assert shown.index("[ptt] watching this DPO run") < finding
    # The rows of the steps after it are printed below it.
    assert shown.rindex("'rewards/margins'") > finding
    assert "rule: dpo_loss_random" in shown
    assert "[ptt] 1 insight, the worst of severity high; report:" in shown


def test_a_healthy_run_is_left_alone(run_dpo: Any, tmp_path: Path) -> None:
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=60, lr_scheduler_type="linear")
    assert (tmp_path / "ptt" / "insights.jsonl").read_bytes() == b""
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    judged = re.search(r"None: (\d+) rules judged this run and found nothing wrong\.", report)
    assert judged is not None
    assert int(judged[1]) >= 10


def test_a_second_run_takes_the_next_free_folder(run_dpo: Any, tmp_path: Path) -> None:
    for _ in range(2):
        run_dpo(tmp_path, DiagnosticsCallback(), max_steps=2)
    assert (tmp_path / "ptt" / "run_metadata_final.json").exists()
    assert (tmp_path / "ptt-2" / "run_metadata_final.json").exists()


def test_losses_and_weights_are_the_same_bits_without_the_callback(
    run_dpo: Any, tmp_path: Path
) -> None:
    watched = run_dpo(tmp_path / "a", DiagnosticsCallback(stop_on="critical"), max_steps=12)
    alone = run_dpo(tmp_path / "b", max_steps=12)
    loss = [logs["loss"] for logs in watched.state.log_history if "loss" in logs]
    assert loss == [logs["loss"] for logs in alone.state.log_history if "loss" in logs]
    assert all(
        (ours == theirs).all()
        for ours, theirs in zip(watched.model.parameters(), alone.model.parameters(), strict=True)
    )
