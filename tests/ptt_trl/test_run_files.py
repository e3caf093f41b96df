"""Files are written whole or not at all, and folders of earlier runs are left alone."""

from __future__ import annotations

import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, metrics_line
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.ptt_trl.line_file import LineFile
from post_training_toolkit.ptt_trl.run_directory import (
    RunDirectory,
    claim_run_directory,
    find_run_directory,
)
from post_training_toolkit.ptt_trl.weights import weights_are_finite


def test_an_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old and longer than the new")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "run"
    for name in ("run", "run-2", "run-3"):
        directory = claim_run_directory(wanted)
        assert directory.path == wanted.with_name(name)
        directory.write_metadata_start({})


def test_a_folder_without_a_run_in_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert claim_run_directory(tmp_path).path == tmp_path


def test_two_runs_that_start_at_once_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(claim_run_directory, [tmp_path / "run"] * 8))
    assert len({directory.path for directory in claimed}) == 8


def test_a_resumed_run_goes_on_in_the_newest_folder_that_came_to_its_step(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert find_run_directory(wanted, 5) is None
    for last_step in (30, 20, 10):
        directory = claim_run_directory(wanted)
        directory.write_metadata_start({})
        directory.append_metrics(metrics_line(LoggedRow(last_step, None, admit({"loss": 1.0}))))
    for step, name, start in ((25, "run", 1), (20, "run-2", 1), (5, "run-3", 1)):
        assert find_run_directory(wanted, step) == RunDirectory(tmp_path / name, start)
    assert find_run_directory(wanted, 31) is None
    RunDirectory(tmp_path / "run-2", 1).write_metadata_start({})
    assert find_run_directory(wanted, 20) == RunDirectory(tmp_path / "run-2", 2)


def test_only_checkpoints_of_this_run_count(tmp_path: Path) -> None:
    for step in (5, 10, 15, 99):
        (tmp_path / f"checkpoint-{step}").mkdir()
    checkpoints = Checkpoints(tmp_path, steps=[5, 10, 15, 20])
    assert checkpoints.last_sound(12) == 10
    assert checkpoints.last_sound(10) == 10
    assert checkpoints.last_sound(4) is None
    # 20 was deleted since, and 99 stands there from another run.
    assert checkpoints.last_sound(100) == 15


@pytest.mark.parametrize(
    ("limit", "step", "deleted"),
    [(None, 5, False), (1, 10, True), (2, 10, False), (2, 5, True), (3, 5, False)],
)
def test_one_more_checkpoint_deletes_the_oldest_over_the_limit(
    tmp_path: Path, limit: int | None, step: int, deleted: bool
) -> None:
    for each in (5, 10):
        (tmp_path / f"checkpoint-{each}").mkdir()
    checkpoints = Checkpoints(tmp_path, limit, steps=[5, 10])
    assert checkpoints.saving_would_delete(step) is deleted


def test_a_line_that_does_not_fit_on_the_disk_is_not_torn_and_comes_later(tmp_path: Path) -> None:
    directory = claim_run_directory(tmp_path)
    directory.append_metrics(b"one\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, limits[1]))
    try:
        with pytest.raises(OSError, match="only 2 of 4 bytes could be written"):
            directory.append_metrics(b"two\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    directory.append_metrics(b"three\n")
    assert (tmp_path / "metrics.jsonl").read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("torn", [0, 1, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16])
@pytest.mark.parametrize("whole", [b"", b"one\n", b"one\n" * 50_000])
def test_a_torn_last_line_is_cut_off(whole: bytes, torn: int, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(whole + b"x" * torn)
    directory.mend_metrics()
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole


def test_lines_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("post_training_toolkit.ptt_trl.line_file._MOST_BYTES_WAITING", 8)
    (tmp_path / "folder").touch()
    file = LineFile(tmp_path / "folder" / "lines")
    for number in range(5):
        with pytest.raises(NotADirectoryError):
            file.append(b"%d__\n" % number)
    (tmp_path / "folder").unlink()
    with pytest.raises(OSError, match="was removed and is made anew"):
        file.append(b"5__\n")
    assert (tmp_path / "folder" / "lines").read_bytes() == b"4__\n5__\n"


def test_metadata_are_never_changed(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    for write in (directory.write_metadata_start, directory.write_metadata_final):
        write({"version": 1})
        with pytest.raises(FileExistsError, match="is never changed"):
            write({"version": 2})
    assert b"2" not in directory.metadata_start.read_bytes() + directory.metadata_final.read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_with_one_bad_number_are_not_finite(value: float) -> None:
    model = torch.nn.Linear(3, 2)
    assert weights_are_finite(model)
    with torch.no_grad():
        model.bias[1] = value
    assert not weights_are_finite(model)
