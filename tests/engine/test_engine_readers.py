"""Recorded runs in text formats are read as the rows that the trainer logged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.engine.readers.choose import open_recording, recording_format
from post_training_toolkit.engine.readers.csv_columns import find_columns
from post_training_toolkit.engine.readers.recording import RecordingError, RecordingFormat
from post_training_toolkit.engine.readers.tracker_row import whole_step

STATE = {
    "global_step": 20,
    "max_steps": 20,
    "logging_steps": 10,
    "log_history": [
        {"loss": 0.5, "rewards/margins": 0.1, "epoch": 0.5, "step": 10},
        {"loss": math.nan, "epoch": 1.0, "step": 20},
        {"eval_loss": 0.75, "epoch": 1.0, "step": 20},
    ],
}


def _rows(path: Path, run: str | None = None) -> list[tuple[int, dict[str, float | str | None]]]:
    """Return step and JSON form of each row."""
    entries = open_recording(path, run=run).entries
    return [(each.step, each.row.to_json()) for each in entries if isinstance(each, LoggedRow)]


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _problem(path: Path, run: str | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        list(open_recording(path, run=run).entries)
    return str(caught.value)


def test_a_trainer_state_gives_its_log_history_and_the_lengths_of_the_run(tmp_path: Path) -> None:
    path = _write(tmp_path, "trainer_state.json", json.dumps(STATE))
    recording = open_recording(path)
    assert (recording.run.max_steps, recording.run.logging_steps) == (20, 10)
    assert _rows(path) == [
        (10, {"loss": 0.5, "rewards/margins": 0.1, "epoch": 0.5}),
        (20, {"loss": "NaN", "epoch": 1.0}),
        (20, {"eval_loss": 0.75, "epoch": 1.0}),
    ]


def test_a_checkpoint_folder_stands_for_the_trainer_state_in_it(tmp_path: Path) -> None:
    path = _write(tmp_path, "trainer_state.json", json.dumps(STATE))
    assert _rows(tmp_path) == _rows(path)


@pytest.mark.parametrize(("reached", "ended"), [(20, True), (10, False)])
def test_a_trainer_state_has_ended_when_it_reached_its_length(
    tmp_path: Path, reached: int, ended: bool
) -> None:
    path = _write(tmp_path, "trainer_state.json", json.dumps({**STATE, "global_step": reached}))
    last: MetricsEntry = list(open_recording(path).entries)[-1]
    assert (last == Milestone("train_end", 20)) is ended


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "trainer_state.json: not valid JSON ("),
        ("[" * 100_000, "trainer_state.json: not valid JSON ("),
        (
            "[]",
            "trainer_state.json: no trainer state; expected an object with a list 'log_history'",
        ),
        ('{"log_history": [{}]}', "trainer_state.json: log_history[0]: no logged row; expected an"),
        ('{"log_history": [{"step": 1.5}]}', "log_history[0]: the step 1.5 is no whole number"),
    ],
)
def test_a_broken_trainer_state_is_told_with_its_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    assert problem in _problem(_write(tmp_path, "trainer_state.json", text))


def test_a_table_is_read_by_its_header(tmp_path: Path) -> None:
    text = "step,loss,eval_loss,note\n1,0.5,,\n2,NaN,,late\n3,-inf,0.25,\n3,None,,\n\n"
    assert _rows(_write(tmp_path, "run.csv", text)) == [
        (1, {"loss": 0.5}),
        (2, {"loss": "NaN", "note": "late"}),
        (3, {"loss": "-Infinity", "eval_loss": 0.25}),
        (3, {"loss": None}),
    ]


@pytest.mark.parametrize("name", ["step", "_step", "global_step", "train/global_step", "Step"])
def test_the_step_column_may_have_any_name_that_trackers_use(tmp_path: Path, name: str) -> None:
    assert _rows(_write(tmp_path, "run.csv", f"{name},loss\n7.0,1\n")) == [(7, {"loss": 1.0})]


def test_names_that_the_trainer_logs_for_trackers_are_turned_back(tmp_path: Path) -> None:
    text = "_step,_runtime,train/global_step,train/loss,eval/loss\n0,1.5,10,0.5,\n1,2.5,10,,0.25\n"
    assert _rows(_write(tmp_path, "run.csv", text)) == [
        (10, {"loss": 0.5}),
        (10, {"eval_loss": 0.25}),
    ]


def test_a_row_without_a_step_belongs_to_the_step_before_it(tmp_path: Path) -> None:
    text = "train/global_step,train/loss,extra\n5,0.5,\n,,1\n"
    assert _rows(_write(tmp_path, "run.csv", text)) == [(5, {"loss": 0.5}), (5, {"extra": 1.0})]


def test_an_export_of_a_chart_is_read_without_its_bounds(tmp_path: Path) -> None:
    text = (
        '"Step","a - b - train/loss","a - b - train/loss__MIN","a - b - train/loss__MAX"\n1,2,1,3\n'
    )
    assert _rows(_write(tmp_path, "run.csv", text)) == [(1, {"loss": 2.0})]


def test_one_of_several_runs_in_an_export_is_chosen_by_name(tmp_path: Path) -> None:
    path = _write(tmp_path, "run.csv", "Step,a - loss,b - loss\n1,0.5,0.25\n")
    assert _rows(path, run="b") == [(1, {"loss": 0.25})]
    assert _problem(path) == f"{path}:1: columns of several runs; choose one with --run: a, b"
    assert _problem(path, run="c").startswith(f"{path}:1: no column of a run 'c'; ")


def test_the_mark_of_a_spreadsheet_before_the_header_is_no_part_of_it(tmp_path: Path) -> None:
    assert _rows(_write(tmp_path, "run.csv", "\ufeffstep,loss\n1,2\n")) == [(1, {"loss": 2.0})]


def test_tabs_separate_the_cells_of_a_tsv(tmp_path: Path) -> None:
    assert _rows(_write(tmp_path, "run.tsv", "step\tloss\n1\t2\n")) == [(1, {"loss": 2.0})]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: no step column; expected one named train/global_step, global_step, step, "),
        ("loss\n1\n", ":1: no step column; expected one named train/global_step, global_step, "),
        ("step,loss,loss\n", ":1: column 'loss' appears twice"),
        ("step,loss\n1,2\n2\n", ":3: 1 cells under a header of 2"),
        ("step,loss\n1,2\n2.5,1\n", ":3: the step '2.5' is no whole number from 0 up"),
        ("step,loss\n-1,1\n", ":2: the step '-1' is no whole number from 0 up"),
        ('step,loss\n1,"2\n', ":2: unexpected end of data"),
    ],
)
def test_a_broken_table_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = _write(tmp_path, "run.csv", text)
    assert _problem(path).startswith(f"{path}{problem}")


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_bytes(b"step,loss\n1,\xff\n")
    assert _problem(path).endswith(": not UTF-8 text")


def test_a_history_is_read_line_by_line(tmp_path: Path) -> None:
    lines = [
        {"_step": 0, "train/global_step": 10, "train/loss": 0.5, "eval/loss": None},
        {"_step": 1, "table": "a.json", "_timestamp": 12.5},
        {"_step": 2, "train/global_step": 20, "eval/loss": math.inf},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"_step": 3, "trai'
    path = _write(tmp_path, "history.jsonl", text)
    assert recording_format(path) is RecordingFormat.HISTORY
    assert _rows(path) == [
        (10, {"loss": 0.5}),
        (10, {"table": "a.json"}),
        (20, {"eval_loss": "Infinity"}),
    ]


def test_the_counter_of_a_tracker_stands_for_a_step_that_nobody_logged(tmp_path: Path) -> None:
    path = _write(tmp_path, "history.jsonl", '{"_step": 3, "loss": 1}\n')
    assert _rows(path) == [(3, {"loss": 1.0})]


@pytest.mark.parametrize("line", ["[]", "{}", '{"loss": 1}', '{"step": true}', "nonsense"])
def test_a_broken_history_line_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    path = _write(tmp_path, "history.jsonl", f'{{"step": 1, "loss": 1}}\n{line}\n')
    assert _problem(path).startswith(f"{path}:2: no history line; ")


def test_the_summary_of_the_trainer_ends_the_run(tmp_path: Path) -> None:
    path = _write(tmp_path, "run.csv", "step,loss,train_runtime\n1,0.5,\n2,0.5,\n2,,9.5\n")
    assert list(open_recording(path).entries)[-1] == Milestone("train_end", 2)
    path = _write(tmp_path, "died.csv", "step,loss,train_runtime\n1,0.5,\n2,0.5,\n")
    assert all(isinstance(each, LoggedRow) for each in open_recording(path).entries)


@pytest.mark.parametrize(
    ("name", "text", "kept_as"),
    [
        ("metrics.jsonl", '{"event": "train_begin", "step": 0}\n', "metrics"),
        ("log.txt", '{"step": 1, "epoch": 0, "logs": {}}\n', "metrics"),
        ("a.jsonl", '{"step": 1, "loss": 0.5}\n', "history"),
        ("state", '{\n  "log_history": []\n}\n', "trainer-state"),
        ("state.json", "", "trainer-state"),
        ("a.csv", "", "csv"),
        ("events.out.tfevents.1.host", "", "tensorboard"),
        ("any", "SQLite format 3\0", "trackio"),
        ("any", ":W&B", "wandb"),
    ],
)
def test_the_format_is_told_by_content_and_name(
    tmp_path: Path, name: str, text: str, kept_as: str
) -> None:
    assert recording_format(_write(tmp_path, name, text)) == kept_as


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = _write(tmp_path, "metrics.jsonl", "\n")
    with pytest.raises(RecordingError, match=r"metrics\.jsonl: the file is empty$"):
        recording_format(path)


def test_what_is_nothing_known_is_told_with_the_formats(tmp_path: Path) -> None:
    path = _write(tmp_path, "notes.txt", "hello")
    with pytest.raises(
        RecordingError, match="no format that is known; say which with --from: run-"
    ):
        recording_format(path)


def test_a_format_that_is_given_wins(tmp_path: Path) -> None:
    path = _write(tmp_path, "notes.txt", "step,loss\n1,2\n")
    [entry] = open_recording(path, RecordingFormat.CSV).entries
    assert entry.step == 1


def test_a_run_cannot_be_chosen_where_there_is_only_one(tmp_path: Path) -> None:
    path = _write(tmp_path, "trainer_state.json", json.dumps(STATE))
    assert "holds one run, so --run 'a' chooses nothing" in _problem(path, run="a")


@pytest.mark.parametrize("value", [True, None, "x", math.nan, math.inf, -1, 0.5, [1], 2**60])
def test_only_a_whole_number_is_a_step(value: object) -> None:
    with pytest.raises(ValueError, match="is no whole number from 0 up"):
        whole_step(value)


def test_a_header_without_runs_needs_no_choice() -> None:
    assert find_columns(["step", "loss"], None).metrics == ((1, "loss"),)
