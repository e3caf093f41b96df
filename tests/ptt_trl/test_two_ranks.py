"""Two processes agree on every stop, the first alone writes, and watching costs them little."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.engine.insights_file import insight_line
from post_training_toolkit.engine.metrics_file import LoggedRow, read_metrics
from post_training_toolkit.engine.replay import replay_run_directory
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import read_snapshot, snapshot_paths

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).parent / "two_rank_run.py"
TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
# Without --multi_gpu it would start a single process; the processes then find that they have none.
ACCELERATE = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
ACCELERATE += ["--num_processes=2", "--num_machines=1", "--mixed_precision=no"]
ACCELERATE += ["--dynamo_backend=no"]
# A run of these takes 10 to 20 seconds; one that waits for a lost rank would take half an hour.
TIME_LIMIT = 240


def launch(
    scenario: str, output_dir: Path, launcher: list[str] = TORCHRUN
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "demo" / "scripts")}
    return subprocess.run(
        [sys.executable, *launcher, str(SCRIPT), scenario, str(output_dir)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        env=environment,
        cwd=output_dir,
    )


def found_by_ranks(output_dir: Path) -> list[Any]:
    return [json.loads((output_dir / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def final_metadata(output_dir: Path) -> Any:
    return json.loads((output_dir / "ptt" / "run_metadata_final.json").read_text())


@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_both_ranks_stop_together_and_rank_0_alone_writes(
    launcher: list[str], tmp_path: Path
) -> None:
    done = launch("stop", tmp_path, launcher)
    assert done.returncode == 0, done.stderr
    first, second = found_by_ranks(tmp_path)
    assert first == second < 20
    final = final_metadata(tmp_path)
    assert final["stop"]["rule"] == "dpo_loss_random"
    assert final["last_step"] == first
    assert final["failures"] == []
    assert Path(final["stop"]["saved_checkpoint"], "model.safetensors").exists()
    # A second writer would have claimed the next free folder or doubled the rows.
    assert not (tmp_path / "ptt-2").exists()
    losses = (tmp_path / "ptt" / "metrics.jsonl").read_text().count('"logs":{"loss":')
    assert losses == first


def test_the_rank_that_failed_first_is_named(tmp_path: Path) -> None:
    done = launch("fail", tmp_path)
    assert done.returncode != 0
    postmortem = json.loads((tmp_path / "ptt" / "postmortem.json").read_text())
    # Rank 0 lost its peer, or was told to go.
    assert postmortem["exit_reason"] in ("exception", "terminated")
    assert postmortem["rank"] == 0
    first = postmortem["first_failing_rank"]
    assert first["rank"] == 1
    assert first["error"] == "ValueError: row 7 of shard 1 is broken"
    assert "in broken_data" in first["traceback"]
    # torchrun's own summary tells of it as well, though the script is not decorated for that.
    assert "row 7 of shard 1 is broken" in done.stderr


def test_trouble_that_one_rank_alone_sees_stops_both(tmp_path: Path) -> None:
    done = launch("trouble_on_rank_1", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = found_by_ranks(tmp_path)
    assert first == second < 12
    final = final_metadata(tmp_path)
    assert final["stop"]["rule"] == "rank_non_finite"
    rows = [
        entry.row
        for entry in read_metrics(tmp_path / "ptt" / "metrics.jsonl")
        if isinstance(entry, LoggedRow)
    ]
    # Rank 0 itself was logged nothing that is not finite.
    assert not any(row.non_finite for row in rows)
    assert max(row.values.get("non_finite/other_ranks", 0) for row in rows) == 1
    gathered = [row.values for row in rows if "step_time/max" in row.values][-1]
    assert 0 < gathered["step_time/min"] <= gathered["step_time/mean"] <= gathered["step_time/max"]
    assert 0 < gathered["memory/min"] <= gathered["memory/max"]
    assert gathered["memory/free"] > 0


def test_a_rank_that_is_slow_between_its_steps_is_found(tmp_path: Path) -> None:
    done = launch("slow_rank", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = found_by_ranks(tmp_path)
    assert first == second < 20
    stop = final_metadata(tmp_path)["stop"]
    assert stop["rule"] == "straggler"
    assert re.match(r"One rank takes 0\.\d+ s between two steps", stop["message"])


def test_ranks_that_log_by_epoch_stop_together(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "version: 1\n"
        "rules:\n"
        "  - id: any_loss\n"
        "    title: There is a loss\n"
        "    description: Fires at the first row.\n"
        "    metric: loss\n"
        "    threshold: {above: 0}\n"
        "    severity: low\n"
        "    detects: [any_loss]\n"
        "    message: the loss is {value}\n"
        "    remediation: [Nothing.]\n"
        "    citation: []\n"
        "    threshold_origin: empirical\n"
        "    false_alarms: [Every run.]\n"
    )
    done = launch("log_by_epoch", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = found_by_ranks(tmp_path)
    # Ten steps an epoch; the step after the first epoch is the first where ranks can agree.
    assert first == second == 11


def test_a_lost_rank_leaves_a_readable_run_and_no_one_waiting(tmp_path: Path) -> None:
    done = launch("die", tmp_path)
    assert done.returncode != 0
    run_dir = tmp_path / "ptt"
    entries = read_metrics(run_dir / "metrics.jsonl")
    assert max(each.step for each in entries) == 5
    replayed = b"".join(insight_line(each) for each in replay_run_directory(run_dir))
    assert replayed.startswith((run_dir / "insights.jsonl").read_bytes())


def test_watching_costs_no_collective_call_and_changes_no_loss(tmp_path: Path) -> None:
    done = launch("cost", tmp_path)
    assert done.returncode == 0, done.stderr
    for found in found_by_ranks(tmp_path):
        assert found["watching"] == found["without"]
        assert found["stopping"]["losses"] == found["without"]["losses"]
        assert len(found["without"]["losses"]) == 10
        # One at the first step, for what was seen before it, and one for each log but the last,
        # after which no step follows.
        assert found["stopping"]["calls"] == found["without"]["calls"] + 10


def test_ranks_share_the_prompts_of_a_snapshot_and_train_on_as_without(tmp_path: Path) -> None:
    done = launch("snapshots", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = found_by_ranks(tmp_path)
    assert first["with"] == first["without"]
    assert second["with"] == second["without"]
    taken = [read_snapshot(path) for path in snapshot_paths(tmp_path / "with" / "ptt")]
    assert [each.step for each in taken] == [0, 3, 6]
    # In the order of the prompts, whichever rank answered them.
    names = ["prompt-001", "prompt-002", "prompt-003"]
    assert [[reply.prompt for reply in each.replies] for each in taken] == [names] * 3
    assert not (tmp_path / "with" / "ptt-2").exists()


def test_a_rank_that_fails_at_a_snapshot_ends_the_snapshots_and_not_the_training(
    tmp_path: Path,
) -> None:
    done = launch("snapshot_failing", tmp_path)
    assert done.returncode == 0, done.stderr
    assert found_by_ranks(tmp_path) == [6, 6]
    assert [each.name for each in snapshot_paths(tmp_path / "ptt")] == ["step-000000.json"]
    [failure] = final_metadata(tmp_path)["failures"]
    assert "rank 1 failed at its part of the snapshot" in failure["error"]
    assert "out of memory" in done.stderr
