"""ptt-agents convert: data sets, other formats, splits, and the same rows on Ray."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace as replace_fields
from tool_calls import attempts, episode

from post_training_toolkit.agents import AgentRunLog, Episode
from post_training_toolkit.agents.cli.main import main
from post_training_toolkit.agents.prompt_key import prompt_of
from post_training_toolkit.agents.writers.trace_file import write_traces

KINDS = ("preference-pairs", "step-pairs", "kto", "sft", "grpo-prompts")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *(str(each) for each in arguments)])


def write(folder: Path, *logs: list[Episode]) -> list[Path]:
    paths = []
    for number, runs in enumerate(logs):
        paths.append(folder / f"runs-{number}.jsonl")
        AgentRunLog(runs).to_jsonl(paths[-1])
    return paths


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write(tmp_path, attempts(6))[0]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_in_every_kind_of_file(runs: Path, tmp_path: Path, kind: str) -> None:
    for name in ("out.jsonl", "out.parquet", "out"):
        done = invoke(runs, "--to", kind, "--output", tmp_path / name)
        assert done.exit_code == 0, done.output
        assert " of 12 episodes, over " in done.stderr
    from_lines = rows(tmp_path / "out.jsonl")
    parquet = str(tmp_path / "out.parquet")
    from_parquet = datasets.Dataset.from_parquet(parquet, cache_dir=str(tmp_path / "cache"))
    assert from_lines == list(from_parquet) == list(datasets.load_from_disk(str(tmp_path / "out")))
    assert from_lines


def test_what_is_good_and_what_is_bad_can_be_chosen(tmp_path: Path) -> None:
    good, bad = attempts(1)
    loop = replace(
        good,
        id="loop",
        messages=(*good.messages[:2], *good.messages[2:4] * 3, good.messages[4]),
    )
    [path] = write(tmp_path, [good, bad, loop])
    out = tmp_path / "kto.jsonl"
    assert invoke(path, "--to", "kto", "--output", out).exit_code == 0
    assert [row["label"] for row in rows(out)] == [True, False, True]
    refused = invoke(path, "--to", "kto", "--output", out)
    assert refused.exit_code == 2
    assert "is there already; write over it with --force" in refused.stderr
    assert invoke(path, "--to", "kto", "--output", out, "--force", "--loops-are-bad").exit_code == 0
    assert [row["label"] for row in rows(out)] == [True, False, False]
    assert invoke(path, "--to", "kto", "--output", out, "--force", "--max-steps", 3).exit_code == 0
    assert [row["label"] for row in rows(out)] == [True, False]


def test_a_split_makes_two_files_or_a_folder_of_two(runs: Path, tmp_path: Path) -> None:
    share = ("--test-share", 0.3)
    assert invoke(runs, "--to", "kto", "--output", tmp_path / "k.jsonl", *share).exit_code == 0
    train, test = (rows(tmp_path / f"k-{name}.jsonl") for name in ("train", "test"))
    assert len(train) + len(test) == 12
    assert not {row["prompt_key"] for row in train} & {row["prompt_key"] for row in test}
    assert invoke(runs, "--to", "kto", "--output", tmp_path / "k", *share).exit_code == 0
    assert set(datasets.load_from_disk(str(tmp_path / "k"))) == {"train", "test"}


@pytest.mark.parametrize("kind", ["native", "openai-chat", "atif"])
def test_what_makes_a_record_unfit_survives_a_conversion(tmp_path: Path, kind: str) -> None:
    good = attempts(1)[0]
    copied = replace_fields(good.messages[2], extra={"is_copied_context": True})
    runs = [
        replace(good, id="torn", unread_lines=(3,)),
        replace(good, id="cut", ended=False),
        replace(good, id="copied", messages=(*good.messages[:2], copied, *good.messages[3:])),
        good,
    ]
    write_traces(runs, kind, tmp_path / "out")
    log = {each.id: each for each in AgentRunLog.read(tmp_path / "out")}
    assert log["torn"].unread_lines == (3,)
    assert (log["cut"].ended, log["torn"].ended) == (False, True)
    assert prompt_of(log["copied"])[-1].role == "tool"
    assert (log["good-0"].success, log["good-0"].reward, log["good-0"].task) == (True, 1, "task-0")


def test_every_episode_has_a_file_in_atif(tmp_path: Path) -> None:
    ids = ["a-b-3", "a b", "a/b", "\u6f22" * 100, "a-b"]
    runs = [replace(attempts(1)[0], id=name) for name in ids]
    assert write_traces(runs, "atif", tmp_path) == len(list(tmp_path.iterdir())) == len(ids)


def test_options_that_would_be_ignored_are_refused(runs: Path, tmp_path: Path) -> None:
    refused = invoke(runs, "--to", "kto", "--output", tmp_path / "k", "--min-margin", 1)
    assert refused.exit_code == 2
    assert "--min-margin says nothing of kto; it is for preference-pairs, step-pairs" in (
        refused.stderr
    )


def test_force_replaces_a_data_set_whole_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "k"
    assert invoke(runs, "--to", "kto", "--output", out).exit_code == 0
    split = ("--test-share", 0.3, "--force")
    assert invoke(runs, "--to", "kto", "--output", out, *split).exit_code == 0
    assert set(datasets.load_from_disk(str(out))) == {"train", "test"}
    foreign = invoke(runs, "--to", "kto", "--output", tmp_path, "--force")
    assert foreign.exit_code == 2
    assert "holds something else than a data set" in foreign.stderr
    assert runs.exists()
    files = tmp_path / "k.jsonl"
    assert invoke(runs, "--to", "kto", "--output", files, "--test-share", 0.3).exit_code == 0
    again = invoke(runs, "--to", "kto", "--output", files, "--test-share", 0.3)
    assert again.exit_code == 2
    assert "k-train.jsonl is there already" in again.stderr


@pytest.mark.parametrize("kind", ["native", "openai-chat"])
def test_traces_go_from_format_to_format_and_back(runs: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out.jsonl"
    assert invoke(runs, "--to", kind, "--output", out).stderr == f"12 episodes written to {out}\n"
    before, after = AgentRunLog.read(runs), AgentRunLog.read(out)
    for one, other in zip(before, after, strict=True):
        assert (one.id, one.task, one.success, one.reward) == (
            other.id,
            other.task,
            other.success,
            other.reward,
        )
        assert one.tools == other.tools
        chats = [[message.as_chat() for message in each.messages] for each in (one, other)]
        assert chats[0] == chats[1]


def test_an_unfair_pairing_is_refused_with_what_to_do(tmp_path: Path) -> None:
    [path] = write(
        tmp_path,
        [
            episode(f"{n}-{success}", prompt=f"{n} {success}", task=str(n), success=success)
            for n in range(3)
            for success in (True, False)
        ],
    )
    refused = invoke(path, "--to", "preference-pairs", "--output", tmp_path / "p.jsonl")
    assert refused.exit_code == 3
    assert "use to_kto_dataset, which needs no pairs: convert --to kto" in refused.stderr
    assert not (tmp_path / "p.jsonl").exists()


def test_bad_records_stop_a_conversion_unless_they_are_skipped(runs: Path, tmp_path: Path) -> None:
    with runs.open("a") as file:
        file.write("{torn\n")
    out = tmp_path / "out.jsonl"
    stopped = invoke(runs, "--to", "kto", "--output", out)
    assert stopped.exit_code == 3
    assert "1 record cannot be read; leave them out with --skip-bad" in stopped.stderr
    assert not out.exists()
    assert invoke(runs, "--to", "kto", "--output", out, "--skip-bad").exit_code == 0
    assert len(rows(out)) == 12


def test_ray_is_for_data_sets(runs: Path, tmp_path: Path) -> None:
    refused = invoke(runs, "--to", "native", "--output", tmp_path / "x", "--engine", "ray")
    assert refused.exit_code == 2
    assert "--engine says nothing of native; it is for preference-pairs" in refused.stderr


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(("tests/agent_data",))}},
    )
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")  # Ray's own, and those of what it starts
def test_ray_gives_the_rows_of_the_local_way(ray_here: None, tmp_path: Path) -> None:
    many = attempts(12)
    twin = replace(many[0], id="twin")
    folder = tmp_path / "logs"
    folder.mkdir()
    # Attempts at one prompt lie in different files, and one line is torn.
    paths = write(folder, many[::2], [*many[1::2], twin], [replace(many[2], id="x", success=None)])
    with paths[1].open("a") as file:
        file.write("{torn\n")
    for kind in KINDS if "PTT_SLOW" in os.environ else ("preference-pairs", "kto"):
        told = []
        for engine in ("local", "ray"):
            out = tmp_path / f"{kind}-{engine}.jsonl"
            done = invoke(folder, "--to", kind, "--output", out, "--engine", engine, "--skip-bad")
            assert done.exit_code == 0, done.output
            told.append(sorted(done.stderr.splitlines()))
        local, ray = (rows(tmp_path / f"{kind}-{engine}.jsonl") for engine in ("local", "ray"))
        assert local == ray
        assert told[0] == told[1]
