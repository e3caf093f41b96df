"""The process beside a run costs next to nothing, and the one that completes its files little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import post_training_toolkit

LIGHT = """
import json, sys
sys.path.append(sys.argv[1])
import post_training_toolkit.ptt_trl.postmortem.watcher_process
others = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(json.dumps(sorted(others - {"__main__"})))
"""
NO_TORCH = """
import json, sys
import post_training_toolkit.ptt_trl.cli.main
import post_training_toolkit.ptt_trl.postmortem.completion
print(json.dumps([name for name in ("torch", "transformers", "trl") if name in sys.modules]))
"""


def modules(code: str, *options: str) -> list[str]:
    """Return what a fresh interpreter prints."""
    package = Path(post_training_toolkit.__file__).parent.parent
    command = [sys.executable, *options, "-c", code, str(package)]
    found: list[str] = json.loads(subprocess.check_output(command))
    return found


def test_the_watcher_needs_the_standard_library_alone() -> None:
    assert modules(LIGHT, "-I", "-S") == ["post_training_toolkit"]


def test_completing_a_postmortem_needs_no_torch() -> None:
    assert modules(NO_TORCH) == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="hang_after is a number of seconds above 0"):
        post_training_toolkit.DiagnosticsCallback(hang_after=seconds)
