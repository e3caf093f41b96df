"""Completions that a trainer wrote are read whatever they are made of, once and in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from post_training_toolkit.ptt_trl.snapshots.rollouts import (
    RolloutReader,
    read_rollouts,
    rollout_row,
)


def write(folder: Path, step: int, prompts: list[Any], completions: list[Any]) -> Path:
    path = folder / "completions" / f"completions_{step:05}.parquet"
    path.parent.mkdir(exist_ok=True)
    content = {"step": [step] * len(prompts), "prompt": prompts, "completion": completions}
    pyarrow.parquet.write_table(pyarrow.table(content), path)
    return path


def test_text_and_messages_are_read(tmp_path: Path) -> None:
    prompts, replies = read_rollouts(write(tmp_path, 1, ["A?", "B?", "A?"], ["a b", "", "c"]))
    assert [each.shown for each in prompts.values()] == ["A?", "B?"]
    found = [(each.prompt, each.sample, each.text) for each in replies]
    assert found == [("prompt-001", 1, "a b"), ("prompt-002", 1, ""), ("prompt-001", 2, "c")]
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    said = [{"role": "assistant", "content": "Hello"}, {"role": "assistant", "content": None}]
    prompts, replies = read_rollouts(write(tmp_path, 2, [asked], [said]))
    assert [each.shown for each in prompts.values()] == ["Be kind.\nHi"]
    assert [each.text for each in replies] == ["Hello"]


def test_measures_are_means_over_completions_and_prompts(tmp_path: Path) -> None:
    path = write(tmp_path, 1, ["A?"] * 2 + ["B?"] * 2, ["no " * 12, "", "one two", "one two"])
    row = rollout_row(path)
    assert row["rollout/looping_share"] == row["rollout/empty_share"] == 0.25
    assert row["rollout/trivial_share"] == 0.75
    assert row["rollout/sample_similarity"] == pytest.approx((0 + 1) / 2)
    # These are the trainer's own, or cannot be told from text.
    assert not {"rollout/length", "rollout/truncated_share"} & row.keys()


def test_a_long_file_is_read_in_part(tmp_path: Path) -> None:
    path = write(tmp_path, 1, ["A?"] * 300, ["a"] * 300)
    assert len(read_rollouts(path)[1]) == 256


def test_each_file_is_read_once_when_it_is_there(tmp_path: Path) -> None:
    reader = RolloutReader(tmp_path)
    assert reader.take_up(1) == {}
    write(tmp_path, 1, ["A?"], ["a b c d"])
    assert reader.take_up(2)["rollout/empty_share"] == 0
    # An evaluation logs at the same step.
    assert reader.take_up(2) == {}
    # The file of step 2 was never written.
    assert reader.take_up(3) == {}
    write(tmp_path, 3, ["A?"], [""])
    assert reader.finish(3)["rollout/empty_share"] == 1
