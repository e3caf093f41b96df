"""However a real run dies, its post-mortem says so, and the report is there."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from crashes_page import hold_row
from staged_runs import OOM_GROUPS, EndedRun, Stage
from ways_to_die import DYING_STEP

from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.schemas.loader import load_schema


@dataclass(frozen=True)
class Expected:
    """What a post-mortem says; ``traceback`` is a part of it."""

    exit_reason: str
    caught_by: str
    signal: str | None = None
    exit_code: int | None = None
    traceback: str | None = None
    error: str | None = None
    rule: str = "training_died"


OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB."
DEATHS = {
    "exception": Expected(
        "exception",
        "train",
        traceback="in raise_error",
        error=OUT_OF_MEMORY,
        rule="gpu_out_of_memory",
    ),
    "exception, swallowed by the caller": Expected(
        "exception",
        "train",
        traceback="in raise_error",
        error=OUT_OF_MEMORY,
        rule="gpu_out_of_memory",
    ),
    "exception, callback added later": Expected(
        "exception",
        "train",
        traceback="in raise_error",
        error=OUT_OF_MEMORY,
        rule="gpu_out_of_memory",
    ),
    "sys.exit": Expected(
        "exited", "train", exit_code=3, traceback="in exit_script", error="SystemExit: 3"
    ),
    "Ctrl-C": Expected(
        "interrupted",
        "train",
        signal="SIGINT",
        traceback="in interrupt",
        error="KeyboardInterrupt",
    ),
    "SIGTERM": Expected(
        "terminated", "signal handler", signal="SIGTERM", traceback="in terminate\n"
    ),
    "SIGTERM in native code": Expected(
        "terminated", "watcher", signal="SIGTERM", traceback="in terminate_while_busy"
    ),
    "SIGTERM, then SIGKILL": Expected(
        "terminated", "watcher", signal="SIGKILL", traceback="in terminate_and_kill_while_busy"
    ),
    "SIGABRT": Expected(
        "crashed",
        "watcher",
        signal="SIGABRT",
        error="Fatal Python error: Aborted",
        traceback="in abort",
    ),
    "SIGSEGV": Expected(
        "crashed",
        "watcher",
        signal="SIGSEGV",
        error="Fatal Python error: Segmentation fault",
        traceback="in read_nothing",
    ),
    "SIGKILL": Expected("killed", "watcher", signal="SIGKILL"),
    "os._exit": Expected("exited", "watcher", exit_code=4),
    "out-of-memory killer": Expected("oom_killed", "watcher", signal="SIGKILL"),
    "hang": Expected("hang", "watcher", signal="SIGKILL", traceback="in hang"),
}


def assert_whole(run: EndedRun) -> dict[str, Any]:
    """Check what every death leaves, and return the post-mortem."""
    postmortem = run.json("postmortem.json")
    jsonschema.validate(postmortem, load_schema("postmortem"))
    final = run.json("run_metadata_final.json")
    jsonschema.validate(final, load_schema("run_metadata_final"))
    assert final["status"] == "crashed"
    # Files are the truth: the insights are those of the metrics, to the byte.
    lines = b"".join(map(insight_line, replay_run_directory(run.run_dir)))
    assert (run.run_dir / "insights.jsonl").read_bytes() == lines
    for line in (run.run_dir / "metrics.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), load_schema("metrics_line"))
    return postmortem


@pytest.mark.parametrize("way", DEATHS)
def test_a_death_is_written_down(way: str, stage: Stage, tmp_path: Path) -> None:
    """Compare the row of docs/crashes.md, too; `make crashes-page` writes it."""
    if way == "out-of-memory killer" and not os.access(OOM_GROUPS / "cgroup.procs", os.W_OK):
        pytest.skip("needs a control group of its own, as root")
    options: dict[str, Any] = {"hang_after": 1.0, "kill_after": 0.5} if way == "hang" else {}
    run = stage.run(way, tmp_path / "run", **options)
    report = run.await_report()
    expected = DEATHS[way]
    postmortem = assert_whole(run)
    told = {name: postmortem[name] for name in ("exit_reason", "caught_by", "signal", "exit_code")}
    assert told == {name: getattr(expected, name) for name in told}
    assert postmortem["error"] == expected.error
    assert (expected.traceback or "") in (postmortem["traceback"] or "")
    assert postmortem["last_step"] == DYING_STEP
    # The run learned nothing from its first step on.
    assert postmortem["last_good_step"] == 0
    assert postmortem["last_checkpoint"] == {
        "path": str(run.output_dir / "checkpoint-4"),
        "step": 4,
        "complete": True,
        "problem": None,
    }
    assert postmortem["final_metrics"]["step"] == DYING_STEP
    assert postmortem["final_metrics"]["dpo_loss"] == pytest.approx(0.693, abs=0.01)
    assert "win_rate" in postmortem["final_metrics"]
    assert postmortem["memory"]["process_gib"] > 0.1
    held = [each["rule"] for each in postmortem["insights"]]
    assert "dpo_loss_random" in held
    assert expected.rule in held
    assert all(each["remediation"] for each in postmortem["insights"])
    assert "Crashed" in report
    assert run.milliseconds is not None
    how = postmortem["signal"] or "-"
    code = "-" if postmortem["exit_code"] is None else str(postmortem["exit_code"])
    where = "yes" if postmortem["traceback"] else "-"
    cells = [way, f"`{postmortem['exit_reason']}`", how, code, where, postmortem["caught_by"]]
    hold_row(cells, run.milliseconds)


def test_no_process_stays_behind(stage: Stage, tmp_path: Path) -> None:
    run = stage.run("SIGKILL", tmp_path / "run")
    run.await_report()
    until = time.monotonic() + 10
    while _processes_about(run.run_dir) and time.monotonic() < until:
        time.sleep(0.1)
    assert _processes_about(run.run_dir) == []


def test_a_run_that_ends_well_leaves_neither_postmortem_nor_process(
    stage: Stage, tmp_path: Path
) -> None:
    run = stage.run("", tmp_path / "run")
    assert run.status == 0
    assert run.json("run_metadata_final.json")["status"] == "completed"
    left = {path.name for path in run.run_dir.iterdir()}
    assert left == {
        "insights.jsonl",
        "metrics.jsonl",
        "reports",
        "rules",
        "run_metadata_final.json",
        "run_metadata_start.json",
    }
    assert _processes_about(run.run_dir) == []


def test_a_long_pause_is_no_death(stage: Stage, tmp_path: Path) -> None:
    run = stage.run("a long pause", tmp_path / "run", hang_after=1.0)
    assert run.status == 0
    assert "[ptt] no step for" in run.log
    assert "the run moves again: it was no hang" in run.log
    assert not (run.run_dir / "postmortem.json").exists()


def test_the_trainers_own_checkpoint_at_a_sigterm_comes_after_the_postmortem(
    stage: Stage, tmp_path: Path
) -> None:
    way = "SIGTERM, trainer saves a checkpoint"
    run = stage.run(way, tmp_path / "run", steps=2000, save_steps=5000)
    assert run.status == 0
    postmortem = run.json("postmortem.json")
    assert postmortem["exit_reason"] == "terminated"
    assert run.milliseconds is not None
    assert run.milliseconds < 1000
    # It waits for three seconds before it saves.
    assert postmortem["last_checkpoint"]["step"] > DYING_STEP
    assert postmortem["last_checkpoint"]["complete"]
    assert run.json("run_metadata_final.json")["status"] == "stopped"


def test_without_a_watcher_the_command_tells_what_can_still_be_told(
    stage: Stage, tmp_path: Path, ptt: Any
) -> None:
    run = stage.run("SIGKILL, no watcher", tmp_path / "run", watcher=False)
    assert not (run.run_dir / "postmortem.json").exists()
    told = ptt("postmortem", run.run_dir)
    assert told.exit_code == 0, told.output
    assert "died: unknown; seen by: ptt postmortem" in told.stdout
    assert f"last step: {DYING_STEP}" in told.stdout
    postmortem = assert_whole(run)
    assert postmortem["exit_reason"] == "unknown"
    assert postmortem["last_checkpoint"]["step"] == 4
    before = {path: path.read_bytes() for path in run.run_dir.glob("*.json*")}
    again = ptt("postmortem", run.run_dir)
    assert again.stdout == told.stdout
    assert {path: path.read_bytes() for path in run.run_dir.glob("*.json*")} == before


def test_the_command_refuses_a_run_that_is_alive_or_has_ended(
    stage: Stage, tmp_path: Path, ptt: Any
) -> None:
    ended = stage.run("", tmp_path / "ended")
    told = ptt("postmortem", ended.run_dir)
    assert told.exit_code == 0
    assert "this run ended at step 20; it did not die" in told.stderr
    told = ptt("postmortem", tmp_path)
    assert told.exit_code == 3
    assert "is no run directory" in told.stderr


def _processes_about(folder: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(command.decode())
    return found
