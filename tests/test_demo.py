"""The demo shows what it promises: a broken run diagnosed live, a healthy one left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.rules.severity import Severity

SCRIPTS = Path(__file__).parent.parent / "demo" / "scripts"


@pytest.fixture(scope="module", name="demo")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The outputs and the text of a demo run on a copy, from another folder."""
    folder = tmp_path_factory.mktemp("demo")
    scripts = folder / "demo" / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(scripts / "minimal_dpo_demo.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=dict(os.environ), timeout=480
    )
    assert done.returncode == 0, done.stderr
    return folder / "demo" / "outputs", done.stdout


def _fired(run_dir: Path) -> list[InsightFired]:
    events = read_insights(run_dir / "insights.jsonl")
    return [event for event in events if isinstance(event, InsightFired)]


def test_the_broken_run_is_diagnosed_with_source_and_remedy(demo: tuple[Path, str]) -> None:
    outputs, shown = demo
    assert "dpo_loss_random" in [each.rule for each in _fired(outputs / "dpo_run")]
    report = (outputs / "dpo_run" / "reports" / "run_report.md").read_text()
    assert "**[HIGH]** DPO loss is stuck where it started" in report
    assert "arXiv:2305.18290" in report
    assert "Raise learning_rate 2 to 5 times" in report
    assert "[ptt] HIGH at step" in shown


def test_the_healthy_run_is_left_alone(demo: tuple[Path, str]) -> None:
    outputs, _ = demo
    severities = [each.severity.rank for each in _fired(outputs / "healthy_run")]
    assert all(rank < Severity.MEDIUM.rank for rank in severities)


def test_the_demo_names_the_files_to_open_and_they_exist(demo: tuple[Path, str]) -> None:
    outputs, shown = demo
    for name in (
        "reports/run_report.md",
        "run_metadata_start.json",
        "run_metadata_final.json",
        "metrics.jsonl",
        "insights.jsonl",
    ):
        path = outputs / "dpo_run" / name
        assert path.exists()
        assert f"dpo_run/{name}" in shown


def test_its_runs_replay_byte_for_byte(demo: tuple[Path, str]) -> None:
    outputs, _ = demo
    for name in ("dpo_run", "healthy_run"):
        replayed = b"".join(insight_line(event) for event in replay_run_directory(outputs / name))
        assert replayed == (outputs / name / "insights.jsonl").read_bytes()
