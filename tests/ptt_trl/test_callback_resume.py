"""A resumed run goes on in its own folder and is judged as if it had never been interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.cli.main import main
from post_training_toolkit.engine.event import episodes
from post_training_toolkit.engine.insights_file import insight_line, read_insights
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.engine.seams import consolidate
from post_training_toolkit.schemas import load_schema

# It fires at about step 12, before the checkpoint of step 20, and holds until the end.
BROKEN = {"learning_rate": 2e-8, "max_steps": 40, "save_strategy": "steps", "save_steps": 20}


class DieError(Exception):
    """What a run dies of."""


class DieAt(TrainerCallback):
    """Raises after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise once."""
        if state.global_step == self.step:
            raise DieError


@pytest.fixture(scope="module", name="uninterrupted")
def _uninterrupted(run_dpo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output_dir = tmp_path_factory.mktemp("uninterrupted")
    run_dpo(output_dir, DiagnosticsCallback(), **BROKEN)
    return output_dir / "ptt"


@pytest.fixture(scope="module", name="resumed")
def _resumed(run_dpo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dies at step 27, is torn in the middle of a line, and goes on from the checkpoint of 20."""
    output_dir = tmp_path_factory.mktemp("resumed")
    with pytest.raises(DieError):
        run_dpo(output_dir, DiagnosticsCallback(), DieAt(27), **BROKEN)
    with (output_dir / "ptt" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step":27,"epoch":0.5,"lo')
    checkpoint = output_dir / "checkpoint-20"
    run_dpo(output_dir, DiagnosticsCallback(), resume_from=checkpoint, **BROKEN)
    return output_dir / "ptt"


def _trainer_rows(run_dir: Path) -> list[tuple[int, Any]]:
    """Return what the trainer logged, without its count of tokens, which starts anew."""
    entries = consolidate(read_metrics(run_dir / "metrics.jsonl")).entries
    return [
        (entry.step, {**entry.row.values, "num_tokens": None})
        for entry in entries
        if isinstance(entry, LoggedRow) and "loss" in entry.row.values
    ]


def test_the_metrics_go_on_in_the_same_file(resumed: Path, uninterrupted: Path) -> None:
    assert not resumed.with_name("ptt-2").exists()
    assert _trainer_rows(resumed) == _trainer_rows(uninterrupted)
    text = (resumed / "metrics.jsonl").read_text()
    assert text.count('"event":"train_begin"') == 2
    # What was logged before the death is kept, though it no longer counts.
    assert sum('"step":26,' in line and '"loss"' in line for line in text.splitlines()) == 2


def test_the_insights_are_those_of_an_uninterrupted_run(resumed: Path, uninterrupted: Path) -> None:
    insights = (resumed / "insights.jsonl").read_bytes()
    assert insights == (uninterrupted / "insights.jsonl").read_bytes()
    assert b"dpo_loss_random" in insights
    assert insights == b"".join(insight_line(each) for each in replay_run_directory(resumed))
    # The file of the first start is kept, with its own story.
    [before] = resumed.glob("insights.before-resume-*.jsonl")
    found = episodes(read_insights(before))
    assert {each.fired.rule for each in found} == {"dpo_loss_random", "training_died"}
    assert all(each.closed is None for each in found)


def test_the_command_line_tells_of_the_seam(resumed: Path) -> None:
    done = CliRunner().invoke(main, ["replay", str(resumed)])
    assert done.exit_code == 0
    seam = "the run was resumed at step 20; 13 rows logged after it before no longer count"
    assert seam in done.stderr
    assert "dpo_loss_random" in done.stdout


def test_nothing_has_changed_and_the_validation_says_so(resumed: Path) -> None:
    validation = json.loads((resumed / "resume_validation.json").read_text())
    jsonschema.validate(validation, load_schema("resume_validation"))
    [resume] = validation["resumes"]
    assert resume["step"] == 20
    assert resume["changes"] == []
    # Six rows of the trainer and six of the ranks, those of step 26 included.
    assert resume["void_rows"] == 13
    assert {curve["metric"] for curve in resume["curves"]} >= {"loss", "reward_margin"}
    assert not any(curve["jumped"] for curve in resume["curves"])


def test_each_start_has_its_own_metadata(resumed: Path) -> None:
    first = json.loads((resumed / "run_metadata_start.json").read_text())
    second = json.loads((resumed / "run_metadata_start.1.json").read_text())
    final = json.loads((resumed / "run_metadata_final.1.json").read_text())
    jsonschema.validate(second, load_schema("run_metadata_start"))
    assert (first["resumed_at"], second["resumed_at"]) == (None, 20)
    assert first["dataset"] == second["dataset"] is not None
    assert final["last_step"] == 40
    died = json.loads((resumed / "run_metadata_final.json").read_text())
    assert (died["status"], died["last_step"]) == ("crashed", 27)
    # What it died of is kept, but this run has not.
    assert not (resumed / "postmortem.json").exists()
    before = json.loads((resumed / "postmortem.before-resume-1.json").read_text())
    assert before["traceback"].endswith("DieError\n")
    assert before["last_checkpoint"]["step"] == 20
    # The rules are the same, so they are kept once.
    assert not (resumed / "rules.1").exists()
    report = (resumed / "reports" / "run_report.md").read_text()
    assert "resumed at step 20" in report


def test_what_changed_is_told_and_replay_uses_the_newest_configuration(
    run_dpo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=10, save_strategy="steps", save_steps=10)
    own = tmp_path / "own.yaml"
    own.write_text("version: 1\noverrides:\n  - {id: loss_spike, disable: true, reason: a test}\n")
    run_dpo(
        tmp_path,
        DiagnosticsCallback(rules=own),
        resume_from=tmp_path / "checkpoint-10",
        max_steps=20,
        beta=0.2,
    )
    run_dir = tmp_path / "ptt"
    [resume] = json.loads((run_dir / "resume_validation.json").read_text())["resumes"]
    changes = {each["what"]: (each["before"], each["now"]) for each in resume["changes"]}
    assert changes["configuration.beta"] == (0.1, 0.2)
    assert changes["configuration.max_steps"] == (10, 20)
    assert set(changes) == {
        "configuration.beta",
        "configuration.max_steps",
        "configuration.save_strategy",
        "configuration.save_steps",
        "rules_sha256",
    }
    shown = " ".join(capsys.readouterr().out.split())
    assert "watching this DPO run; resumed at step 10" in shown
    assert "configuration.beta has changed since the first start: 0.1 -> 0.2" in shown
    assert (run_dir / "rules.1").is_dir()
    replayed = b"".join(insight_line(each) for each in replay_run_directory(run_dir))
    assert replayed == (run_dir / "insights.jsonl").read_bytes()


def test_a_checkpoint_without_a_run_directory_begins_a_fresh_one(
    run_dpo: Any, tmp_path: Path
) -> None:
    run_dpo(tmp_path / "a", max_steps=5, save_strategy="steps", save_steps=5)
    run_dpo(
        tmp_path / "b",
        DiagnosticsCallback(),
        resume_from=tmp_path / "a" / "checkpoint-5",
        max_steps=8,
    )
    start = json.loads((tmp_path / "b" / "ptt" / "run_metadata_start.json").read_text())
    assert start["resumed_at"] is None
    rows = _trainer_rows(tmp_path / "b" / "ptt")
    assert [step for step, _ in rows] == [6, 7, 8]


def test_a_metrics_file_that_cannot_be_read_is_left_alone(run_dpo: Any, tmp_path: Path) -> None:
    save = {"save_strategy": "steps", "save_steps": 5}
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=5, **save)
    metrics = tmp_path / "ptt" / "metrics.jsonl"
    broken = b"not a line\n" + metrics.read_bytes()
    metrics.write_bytes(broken)
    checkpoint = tmp_path / "checkpoint-5"
    trainer = run_dpo(tmp_path, DiagnosticsCallback(), resume_from=checkpoint, max_steps=8, **save)
    assert trainer.state.global_step == 8
    assert metrics.read_bytes() == broken
    final = json.loads((tmp_path / "ptt-2" / "run_metadata_final.json").read_text())
    [failure] = final["failures"]
    assert failure["part"] == "resume"
    assert "metrics.jsonl:1: no metrics line" in failure["error"]
