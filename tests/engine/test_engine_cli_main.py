"""ptt-rules: what holds for every command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = "from post_training_toolkit.engine.cli.main import main; main()"
_FULL_DISK = Path("/dev/full")


@pytest.mark.skipif(not _FULL_DISK.exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["list"], ["explain", "loss_spike"], ["schema"]])
def test_a_disk_that_is_full_is_told_in_one_line(arguments: list[str]) -> None:
    with _FULL_DISK.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "Error: cannot read or write: No space left on device\n"
