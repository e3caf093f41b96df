"""Whatever fails inside, training goes on to the same end, and the report says what failed."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.ptt_trl import provenance
from post_training_toolkit.ptt_trl.live.plain_lines import PlainLines

BROKEN = {"learning_rate": 2e-8, "max_steps": 25}


class NativePanicError(BaseException):
    """As a native extension raises it: no Exception."""


class RemoveFolder(TrainerCallback):
    """Deletes a folder while the run goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Delete it after step 5."""
        if state.global_step == 5:
            shutil.rmtree(self.folder)


def _fail(*_: Any, **__: Any) -> None:
    raise NativePanicError("deliberate")


def _final(output_dir: Path) -> dict[str, Any]:
    text = (output_dir / "ptt" / "run_metadata_final.json").read_text()
    metadata: dict[str, Any] = json.loads(text)
    return metadata


def test_a_console_that_fails_costs_only_the_console(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainLines, "_write", _fail)
    trainer = run_dpo(tmp_path, DiagnosticsCallback(), **BROKEN)
    assert trainer.state.global_step == 25
    [failure] = _final(tmp_path)["failures"]
    assert (failure["part"], failure["error"]) == ("console", "NativePanicError: deliberate")
    assert failure["count"] == 3
    assert "in _fail" in failure["traceback"]
    assert (tmp_path / "ptt" / "insights.jsonl").read_bytes() != b""
    report = (tmp_path / "ptt" / "reports" / "run_report.md").read_text()
    assert "- console: NativePanicError: deliberate (3 times)" in report


def test_a_rule_that_fails_costs_only_that_rule(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = Detector.follow

    def follow_or_fail(self: Detector, *args: Any) -> Any:
        return _fail() if self.rule.id == "loss_spike" else follow(self, *args)

    monkeypatch.setattr(Detector, "follow", follow_or_fail)
    run_dpo(tmp_path, DiagnosticsCallback(), **BROKEN)
    final = _final(tmp_path)
    assert [failure["part"] for failure in final["failures"]] == ["rule loss_spike"]
    assert [insight["insight"] for insight in final["insights"]] == ["dpo_loss_random#1"]
    assert {
        "rule": "loss_spike",
        "reason": "it failed inside: NativePanicError: deliberate",
    } in final["not_run"]


def test_a_session_that_cannot_open_leaves_training_alone(
    run_dpo: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "ptt"
    in_the_way.write_text("a file where the folder should be")
    trainer = run_dpo(tmp_path, DiagnosticsCallback(stop_on="high"), max_steps=3)
    assert trainer.state.global_step == 3
    [record] = [each for each in caplog.records if each.name == "post_training_toolkit"]
    assert "start failed and is contained; training goes on" in record.getMessage()
    assert record.exc_info is not None


def test_a_run_directory_that_vanishes_leaves_training_alone(
    run_dpo: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = run_dpo(tmp_path, DiagnosticsCallback(), RemoveFolder(tmp_path / "ptt"), max_steps=10)
    assert trainer.state.global_step == 10
    failed = [each.getMessage() for each in caplog.records if each.name == "post_training_toolkit"]
    # Once for each part, not once for each step.
    assert len([message for message in failed if "metrics file failed" in message]) == 1


def test_provenance_that_fails_does_not_cost_the_metadata(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "git_state", _fail)
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=2)
    start = json.loads((tmp_path / "ptt" / "run_metadata_start.json").read_text())
    assert start["git"] is None
    assert start["packages"]["torch"]


class MuteError(Exception):
    """An error whose own text fails."""

    def __str__(self) -> str:
        raise ValueError("no text")


class BrokenHandler(logging.Handler):
    """A handler of the user's that cannot write."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise OSError("no space left for logs")


def test_an_error_without_a_text_and_a_handler_that_raises_leave_training_alone(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MuteError

    monkeypatch.setattr(PlainLines, "_write", fail)
    monkeypatch.setattr(logging.getLogger("post_training_toolkit"), "handlers", [BrokenHandler()])
    trainer = run_dpo(tmp_path, DiagnosticsCallback(), max_steps=3)
    assert trainer.state.global_step == 3
    [failure] = _final(tmp_path)["failures"]
    assert failure["part"] == "console"
    assert failure["error"].startswith("MuteError")


def test_an_interrupt_by_the_user_is_not_swallowed(
    run_dpo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "follow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_dpo(tmp_path, DiagnosticsCallback(), max_steps=2)
