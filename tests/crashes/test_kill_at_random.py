"""Killed at any moment, a run has lost nothing that it had written."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from staged_runs import Stage

from post_training_toolkit.schemas.loader import load_schema

# `make test-slow` asks for 200.
KILLS = int(os.environ.get("PTT_KILLS", "4"))
# From the first sign of the run to past its end.
LONGEST_SECONDS = 3.0


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_killed_at_a_random_moment_is_explained(
    number: int, stage: Stage, tmp_path: Path, ptt: Any
) -> None:
    moment = random.Random(number).uniform(0, LONGEST_SECONDS)
    run = stage.run("", tmp_path / "run", kill_after=moment, steps=40)
    final = run.run_dir / "run_metadata_final.json"
    if final.exists() and not (run.run_dir / "postmortem.json").exists():
        # It had ended before.
        assert run.json(final.name)["status"] == "completed"
        return
    report = run.await_report()
    for name, schema in (("metrics.jsonl", "metrics_line"), ("insights.jsonl", "insights_line")):
        content = (run.run_dir / name).read_bytes()
        # The torn line that the kill may have left was cut off.
        assert not content or content.endswith(b"\n")
        for line in content.splitlines():
            jsonschema.validate(json.loads(line), load_schema(schema))
    if '"event":"train_end"' in (run.run_dir / "metrics.jsonl").read_text():
        # Only the report was missing.
        assert not (run.run_dir / "postmortem.json").exists()
        assert "**Status:** Completed" in report
        return
    postmortem = run.json("postmortem.json")
    jsonschema.validate(postmortem, load_schema("postmortem"))
    assert (postmortem["exit_reason"], postmortem["signal"]) == ("killed", "SIGKILL")
    steps = [
        json.loads(line)["step"]
        for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()
    ]
    assert max(steps) <= postmortem["last_step"] <= max(steps) + 1
    again = ptt("report", run.run_dir)
    assert again.exit_code == 0, again.output
    assert "Crashed" in (run.run_dir / "reports" / "run_report.md").read_text()
