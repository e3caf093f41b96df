"""Machines are told what people are told, through logging or as lines of JSON."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from tqdm import tqdm

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import Episode, InsightFolded
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.ptt_trl.structured_log import (
    LOGGER_NAME,
    StructuredLog,
    json_log,
    standard_log,
)
from tests.ptt_trl.loss_spike_events import CLOSED, ESCALATED, FIRED

BEGUN = RunStart("dpo", Path("run/ptt"))
ENDED = RunEnding("completed", 40, (Episode(FIRED, ESCALATED, CLOSED),), None, Path("report.md"))


def _tell_all(log: StructuredLog) -> None:
    log.begin(BEGUN)
    for event in (FIRED, ESCALATED, InsightFolded("a#1", "a", 34, "loss_spike#1"), CLOSED):
        log.show(event)
    log.note("resumed")
    log.end(ENDED)


def _levels(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(each.__dict__["event"], each.levelname) for each in caplog.records]


EXPECTED_LEVELS = [
    ("run_begin", "INFO"),
    ("insight_fired", "WARNING"),
    ("insight_escalated", "ERROR"),
    ("insight_folded", "INFO"),
    ("insight_resolved", "INFO"),
    ("note", "INFO"),
    ("run_end", "INFO"),
]


def test_each_event_is_a_record_with_the_level_of_its_severity(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        _tell_all(standard_log())
    assert _levels(caplog) == EXPECTED_LEVELS


def test_a_record_carries_its_fields_as_text_and_as_attributes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        standard_log().show(FIRED)
    [record] = caplog.records
    assert record.getMessage().startswith(
        "insight_fired insight=loss_spike#1 rule=loss_spike severity=medium step=31 "
    )
    assert 'message="Loss jumps to 9 at step 31"' in record.getMessage()
    fields = record.__dict__
    assert (fields["rule"], fields["value"]) == ("loss_spike", 9.0)
    assert fields["insight_message"] == FIRED.message


def test_json_is_one_object_a_line_with_the_words_of_the_files() -> None:
    stream = io.StringIO()
    _tell_all(json_log(stream))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(each["event"], each["level"].upper()) for each in lines] == EXPECTED_LEVELS
    fired, end = lines[1], lines[-1]
    assert (fired["metric"], fired["value"], fired["message"]) == ("loss", 9.0, FIRED.message)
    assert fired["timestamp"].endswith("Z")
    assert (end["status"], end["high"], end["medium"]) == ("completed", 1, 0)
    assert (end["stopped_by"], end["report"]) == (None, "report.md")


def test_a_line_of_json_is_a_line_of_its_own_beside_a_progress_bar(tmp_path: Path) -> None:
    path = tmp_path / "stderr.log"
    with path.open("w", encoding="utf-8") as stream:
        bar = tqdm(total=3, file=stream, mininterval=0)
        for _ in range(3):
            json_log(stream).note("one")
            bar.update()
        bar.close()
    # As Python reads text: a bar ends its drawing with a carriage return.
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [json.loads(line) for line in lines if line.startswith("{")]
    assert [note["message"] for note in notes] == ["one"] * 3


def test_the_configuration_of_structlog_stays_the_users() -> None:
    before: dict[str, Any] = structlog.get_config()
    _tell_all(standard_log())
    _tell_all(json_log(io.StringIO()))
    assert structlog.get_config() == before
    assert not structlog.is_configured()


def _stderr_of(code: str) -> str:
    given = "from tests.ptt_trl.loss_spike_events import FIRED\n"
    given += "from post_training_toolkit.ptt_trl.structured_log import standard_log\n"
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", given + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("standard_log().show(FIRED)", lambda text: text == ""),
        (
            "import logging; logging.basicConfig(); standard_log().show(FIRED)",
            lambda text: text.startswith(f"WARNING:{LOGGER_NAME}:insight_fired insight="),
        ),
    ],
)
def test_records_go_only_where_the_user_sends_them(
    code: str, expected: Callable[[str], bool]
) -> None:
    text = _stderr_of(code)
    assert expected(text), text


def test_a_real_run_tells_both_logs(
    run_dpo: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        callback = DiagnosticsCallback(log_json=True, stop_on="high")
        run_dpo(tmp_path, callback, learning_rate=2e-8, disable_tqdm=True)
    told = ["run_begin", "insight_fired", "insight_still_firing", "run_end"]
    assert [name for name, _ in _levels(caplog)] == told
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert [each["event"] for each in events] == told
    assert events[-1]["stopped_by"] == "dpo_loss_random#1"
    assert Path(events[-1]["report"]).name == "run_report.md"


def test_without_being_asked_for_no_json_is_written(
    run_dpo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dpo(tmp_path, DiagnosticsCallback(), max_steps=2, disable_tqdm=True)
    assert '"event"' not in capsys.readouterr().err
