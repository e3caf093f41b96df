"""Labelled runs are read with every slip in the labels told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from post_training_toolkit.engine.labelled_run import (
    LabelledRunError,
    Labels,
    Match,
    find_labelled_runs,
    read_labelled_run,
)

FAULTY = """\
trainer: dpo
trl: 1.16.0
hyperparameters: {beta: 0.1, logging_steps: 5}
fault: label_flip
onset_step: 7
expected: [margin_collapse, win_rate_drop]
match: any
acceptable: [loss_spike]
"""
HEALTHY = "trainer: sft\nfault: null\nonset_step: null\nexpected: []\n"
LOG = """\
{"event": "train_begin", "step": 0, "max_steps": 20}
{"step": 5, "epoch": 0.5, "logs": {"loss": NaN}}
"""


def _run(tmp_path: Path, labels: str = FAULTY, log: str | None = LOG, name: str = "a") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "run.yaml").write_text(labels)
    if log is not None:
        (folder / "log.jsonl").write_text(log)
    return folder


def test_labels_and_description_are_read(tmp_path: Path) -> None:
    labelled = read_labelled_run(_run(tmp_path))
    assert labelled.labels == Labels(
        "label_flip", 7, ("margin_collapse", "win_rate_drop"), Match.ANY, ("loss_spike",)
    )
    recording = labelled.read()
    run = recording.run
    assert (run.trainer, run.max_steps, run.logging_steps) == ("dpo", 20, 5)
    assert run.trl_version == "1.16.0"
    assert run.configuration["beta"] == 0.1
    assert run.configuration["gradient_accumulation_steps"] == 1
    assert [entry.step for entry in recording.entries] == [0, 5]


def test_a_healthy_run_needs_no_more_than_to_say_so(tmp_path: Path) -> None:
    assert read_labelled_run(_run(tmp_path, HEALTHY)).labels == Labels(None)


def test_a_run_directory_becomes_a_labelled_run_by_its_labels(tmp_path: Path) -> None:
    folder = _run(tmp_path, log=None)
    (folder / "metrics.jsonl").write_text(LOG)
    assert read_labelled_run(folder).log == folder / "metrics.jsonl"


def test_runs_are_found_by_name_in_a_folder_or_as_the_folder_itself(tmp_path: Path) -> None:
    second, first = _run(tmp_path, name="b"), _run(tmp_path, name="a")
    (tmp_path / "other").mkdir()
    assert find_labelled_runs(tmp_path) == [first, second]
    assert find_labelled_runs(first) == [first]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("fault: label_flip\n", ""), "run.yaml:1:1: no key 'fault'"),
        (("expected:", "expectd:"), "run.yaml:1:1: no key 'expected'; did you mean 'expectd'?"),
        (("acceptable:", "acceptible:"), ":8:13: unknown key 'acceptible'; did you mean 'accep"),
        (("trainer: dpo", "trainer: dop"), "run.yaml:1:10: no trainer 'dop'; did you mean"),
        (("trainer: dpo", "trainer: 3"), "run.yaml:1:10: 3 is no name; expected a word or null"),
        (("match: any", "match: some"), "run.yaml:7:8: 'some' is neither all nor any"),
        (("onset_step: 7", "onset_step: -1"), "run.yaml:5:13: -1 is no step; a fault begins"),
        (("onset_step: 7", "onset_step: null"), "run.yaml:5:13: None is no step; a fault begins"),
        (("onset_step: 7", "onset_step: true"), "run.yaml:5:13: True is no step; a fault begins"),
        (("fault: label_flip", "fault: null"), "run.yaml:6:11: a healthy run (fault: null) can"),
        (("[loss_spike]", "loss_spike"), "run.yaml:8:13: expected a list of failure modes, []"),
        (("[loss_spike]", "[1]"), "run.yaml:8:13: expected a list of failure modes, [] for none"),
        (("{beta: 0.1, logging_steps: 5}", "[]"), "run.yaml:3:18: expected the trainer's arg"),
        (("trainer: dpo", "trainer: [dpo"), "run.yaml:2:4: not valid YAML: "),
        ((FAULTY, "- a\n"), "run.yaml:1:1: expected keys and values"),
    ],
)
def test_a_slip_in_the_labels_is_told_at_its_place(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    folder = _run(tmp_path, FAULTY.replace(*change))
    with pytest.raises(LabelledRunError) as caught:
        read_labelled_run(folder)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(folder))


def test_a_run_may_say_more_about_itself(tmp_path: Path) -> None:
    more = "transformers: 5.0\nseconds: 3\ndata: {n: 1}\nended: completed\n"
    assert read_labelled_run(_run(tmp_path, FAULTY + more)).labels.fault == "label_flip"


def test_labels_without_a_log_are_no_labelled_run(tmp_path: Path) -> None:
    folder = _run(tmp_path, log=None)
    with pytest.raises(
        LabelledRunError, match=r"it has no log.jsonl, log.jsonl.gz, metrics.jsonl$"
    ):
        read_labelled_run(folder)


def test_a_broken_log_is_told_with_its_line(tmp_path: Path) -> None:
    labelled = read_labelled_run(_run(tmp_path, log=LOG + "nonsense\n"))
    with pytest.raises(LabelledRunError, match=r"log.jsonl:3: no metrics line"):
        labelled.read()
