"""Two processes stop at the same step, and only the first writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).parent / "two_rank_run.py"


def test_both_ranks_stop_together_and_rank_0_alone_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--standalone", str(SCRIPT), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "demo" / "scripts")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    steps = [int((tmp_path / f"rank-{rank}.txt").read_text()) for rank in (0, 1)]
    assert steps[0] == steps[1] < 20
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["stop"]["rule"] == "dpo_loss_random"
    assert final["last_step"] == steps[0]
    assert Path(final["stop"]["saved_checkpoint"], "model.safetensors").exists()
    # A second writer would have claimed the next free folder or doubled the rows.
    assert not (tmp_path / "ptt-2").exists()
    losses = (tmp_path / "ptt" / "metrics.jsonl").read_text().count('"loss":')
    assert losses == steps[0]
