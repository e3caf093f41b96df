"""Logs of Inspect, through inspect-ai and without it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.agents.episode import Episode
from post_training_toolkit.agents.message import ModelCall, Role
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers import inspect_library, inspect_log
from post_training_toolkit.agents.readers.choose import find_format, read_paths
from post_training_toolkit.agents.readers.inspect_scores import judge
from post_training_toolkit.agents.readers.records import TraceFile

LOG = "inspect/log.json"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look as if inspect-ai were not installed."""
    monkeypatch.setattr(inspect_log, "is_installed", lambda: False)


def read(path: Path) -> list[Episode]:
    found = list(read_paths([path]))
    assert all(isinstance(each, Episode) for each in found), found
    return [each for each in found if isinstance(each, Episode)]


def pack(path: Path, log: dict[str, Any], header: str | None = "header.json") -> Path:
    """Write a log as an archive, as Inspect does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        about = {key: value for key, value in log.items() if key != "samples"}
        if header is not None:
            archive.writestr(header, json.dumps(about))
        for each in log["samples"]:
            name = f"samples/{each['id']}_epoch_{each['epoch']}.json"
            archive.writestr(name, json.dumps(each))
    return path


def load(samples: Path) -> Any:
    return json.loads((samples / LOG).read_text(encoding="utf-8"))


def test_inspect_ai_and_the_reader_here_give_the_same_episodes(
    traces: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("inspect_ai")
    packed = pack(tmp_path / "log.eval", load(samples))
    paths = [samples / LOG, packed, *sorted((traces / "inspect_ai").glob("*.[je]*"))]
    for path in paths:
        through_library = read(path)
        with monkeypatch.context() as changed:
            changed.setattr(inspect_log, "is_installed", lambda: False)
            assert read(path) == through_library, path


def test_inspect_ai_reads_the_samples_and_refuses_what_is_none(samples: Path) -> None:
    pytest.importorskip("inspect_ai")
    for sample in load(samples)["samples"]:
        read_sample = inspect_library.as_inspect_reads(sample)
        assert read_sample is not None
        assert read_sample["uuid"] == sample["uuid"]
    for other in (None, 3, {"id": 1}):
        assert inspect_library.as_inspect_reads(other) is None


@pytest.mark.usefixtures("without_library")
def test_each_real_sample_is_an_episode_with_its_score(traces: Path) -> None:
    found = {path.name: read(path) for path in (traces / "inspect_ai").glob("*.[je]*")}
    assert sum(map(len, found.values())) == 117
    judged = [each.success for each in found[_named(found, "DN2wbX2")]]
    assert (judged.count(True), judged.count(False)) == (_graded(traces, "C"), _graded(traces, "I"))
    unscored = found[_named(found, "dPiJifoWeEQ")]
    assert {each.success for each in unscored} == {None}
    assert {each.trial for each in unscored} == {1}


@pytest.mark.usefixtures("without_library")
def test_nothing_of_a_real_agents_sample_is_lost(traces: Path) -> None:
    (path,) = (traces / "inspect_ai").glob("*browser.json")
    raw = json.loads(path.read_text(encoding="utf-8"))["samples"][0]
    (episode,) = read(path)
    assert [each.content for each in episode.messages] == [
        each["content"] for each in raw["messages"]
    ]
    called = [call for each in raw["messages"] for call in each.get("tool_calls", ())]
    assert [(each.id, each.arguments) for each in episode.tool_calls] == [
        (each["id"], each["arguments"]) for each in called
    ]
    results = [each.tool_call_id for each in episode.messages if each.role is Role.TOOL]
    assert results == [each["id"] for each in called]
    assert (episode.prompt_tokens, episode.completion_tokens) == (15235, 281)
    costs = [each.model_call for each in episode.messages if each.model_call is not None]
    assert sum(each.prompt_tokens or 0 for each in costs) == 15235
    tools = episode.tools or ()
    assert len(tools) == 8
    assert all("attachment://" not in str(tool) for tool in tools)


def test_only_logs_of_inspect_are_taken_for_them(traces: Path) -> None:
    for path in traces.rglob("*.[je]*"):
        found = find_format(TraceFile(path))
        is_log = path.parent.name == "inspect_ai"
        assert (found is not None and found.name == "inspect") == is_log, path


@pytest.mark.usefixtures("without_library")
@pytest.mark.parametrize("as_archive", [True, False])
def test_a_sample_is_read_with_its_task_outcome_and_end(
    samples: Path, tmp_path: Path, *, as_archive: bool
) -> None:
    path = pack(tmp_path / "log.eval", load(samples)) if as_archive else samples / LOG
    solved, limited, broken = read(path)
    assert [each.id for each in (solved, limited, broken)] == ["aa", "bb", "cc"]
    assert {each.task for each in (solved, limited, broken)} == {"archive/who"}
    assert (solved.trial, limited.trial, broken.trial) == (1, 2, 3)
    assert (solved.success, solved.reward, solved.end_reason) == (True, 1.0, "stop")
    assert (limited.success, limited.end_reason, limited.ended) == (False, "message limit", True)
    assert (broken.success, broken.ended) == (None, False)
    assert broken.end_reason == "error: RuntimeError('the sandbox is gone')"
    assert (solved.prompt_tokens, solved.completion_tokens) == (140, 20)
    assert solved.metadata["task_args"] == {"level": 2}
    assert solved.system == "Answer with a name."
    (tool,) = solved.tools or ()
    assert tool["function"]["description"] == "Searches the archive."


@pytest.mark.usefixtures("without_library")
def test_arguments_that_inspect_could_not_parse_are_kept_as_text(samples: Path) -> None:
    asked = read(samples / LOG)[0].messages[2]
    good, bad = asked.tool_calls
    assert (good.arguments, good.unparsed) == ({"query": "builder"}, None)
    assert (bad.arguments, bad.unparsed) == ({}, '{"query": ')
    assert asked.reasoning == "Search."
    assert asked.model_call == ModelCall(40, 15, None, "tool_calls")
    failed = [each.failed for each in read(samples / LOG)[0].messages if each.role is Role.TOOL]
    assert failed == [False, True]


@pytest.mark.parametrize(
    ("scores", "success", "reward"),
    [
        ({"match": {"value": "C"}}, True, 1.0),
        ({"match": {"value": "I"}}, False, 0.0),
        ({"match": {"value": "N"}}, False, 0.0),
        ({"match": {"value": "P"}}, None, 0.5),
        ({"match": {"value": "correct"}}, True, 1.0),
        ({"match": {"value": True}}, True, 1.0),
        ({"f1": {"value": 0.25}}, None, 0.25),
        ({"f1": {"value": float("nan")}}, None, None),
        ({"grader": {"value": {"correct": 1, "style": 0.2}}}, True, None),
        ({"a": {"value": "C"}, "b": {"value": "I"}}, None, None),
        ({"a": {"value": "C"}, "b": {"value": 1}}, True, 1.0),
        ({"a": {"value": ["C"]}}, None, None),
        ({}, None, None),
    ],
)
def test_a_score_is_a_verdict_where_it_says_all_or_nothing(
    scores: dict[str, Any], success: bool | None, reward: float | None
) -> None:
    keep: Callable[[Any], Any] = lambda value: value  # noqa: E731
    verdict = judge(scores, keep)
    assert (verdict.success, verdict.reward) == (success, reward)


@pytest.mark.usefixtures("without_library")
def test_the_archive_of_an_unfinished_run_is_read_as_far_as_it_goes(
    samples: Path, tmp_path: Path
) -> None:
    log = load(samples)
    unfinished = {**log, "samples": log["samples"][:1]}
    path = pack(tmp_path / "log.eval", unfinished, "_journal/start.json")
    assert [each.task for each in read(path)] == ["archive/who"]
    bare = pack(tmp_path / "bare.eval", unfinished, None)
    problem, episode = inspect_log.read(TraceFile(bare))
    assert "neither header.json nor _journal/start.json names a task" in str(problem)
    assert isinstance(episode, Episode)


@pytest.mark.parametrize("installed", [True, False])
def test_a_bad_sample_is_told_by_its_name_and_the_others_are_read(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    monkeypatch.setattr(inspect_log, "is_installed", lambda: installed)
    log = load(samples)
    log["samples"][0]["messages"][1]["role"] = "robot"
    log["samples"][1]["messages"][2]["tool_calls"][0]["function"] = None
    path = pack(tmp_path / "log.eval", log)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/x_epoch_1.json", "{")
        archive.writestr("samples/y_epoch_1/sample.json", "{}")
    found = list(read_paths([path]))
    said = [str(each).partition("log.eval: ")[2] for each in _problems(found)]
    assert said.pop(2).startswith("samples/x_epoch_1.json: no JSON: ")
    assert said == [
        "samples/who_epoch_1.json: messages[1]: "
        "no role 'robot'; there are system, user, assistant, tool",
        "samples/who_epoch_2.json: messages[2]: a tool call without a function",
        "samples/y_epoch_1/sample.json: a sample in chunks cannot be read",
    ]
    assert [each.id for each in found if isinstance(each, Episode)] == ["aa", "bb", "cc"]


@pytest.mark.usefixtures("without_library")
def test_a_damaged_archive_never_raises(samples: Path, tmp_path: Path) -> None:
    whole = pack(tmp_path / "log.eval", load(samples), "_journal/start.json").read_bytes()
    path = tmp_path / "damaged.eval"
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + b"\xff\x00\x09" + whole[at + 3 :])
        list(inspect_log.read(TraceFile(path)))
    path.write_bytes(whole[: len(whole) // 2])
    (problem,) = read_paths([path])
    assert "no archive that can be read" in str(problem)


@pytest.mark.usefixtures("without_library")
def test_a_sample_that_claims_a_hostile_size_is_not_unpacked(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "log.eval", load(samples))
    monkeypatch.setattr(inspect_log, "_MOST_BYTES", 2000)
    problems = _problems(list(read_paths([path])))
    assert len(problems) == 3
    assert all("more than 2000 bytes" in str(each) for each in problems)


def test_a_log_without_samples_is_told(samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**load(samples), "samples": None}), encoding="utf-8")
    (problem,) = read_paths([path])
    assert str(problem).endswith("log.json: the log has no samples")


@pytest.mark.usefixtures("without_library")
def test_a_sample_that_failed_before_its_first_message_holds_what_was_asked(
    samples: Path, tmp_path: Path
) -> None:
    log = load(samples)
    log["samples"] = [{**log["samples"][2], "messages": []}]
    (episode,) = read(pack(tmp_path / "log.eval", log))
    assert [each.content for each in episode.messages] == ["Who built it?"]


def _problems(found: list[Episode | TraceProblem]) -> list[TraceProblem]:
    return [each for each in found if isinstance(each, TraceProblem)]


def _named(found: dict[str, list[Episode]], part: str) -> str:
    return next(name for name in found if part in name)


def _graded(traces: Path, grade: str) -> int:
    (path,) = (traces / "inspect_ai").glob("*DN2wbX2*")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("samples/")]
        read_all = [json.loads(archive.read(name)) for name in names]
    return sum(each["scores"]["match"]["value"] == grade for each in read_all)
