"""What the trackers themselves write is read, where they are installed to write it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from post_training_toolkit.engine.metrics_file import LoggedRow
from post_training_toolkit.engine.readers.choose import open_recording

TENSORBOARD = """
from {module} import SummaryWriter
writer = SummaryWriter({folder!r})
writer.add_text("args", '{{"beta": 0.1, "max_steps": 30, "logging_steps": 10}}')
writer.add_scalar("train/loss", 0.5, 10)
writer.add_scalar("train/grad_norm", float("nan"), 10)
writer.add_scalar("eval/loss", 0.25, 10)
writer.close()
"""
WANDB = """
import wandb
wandb.init(project="p", mode="offline", dir={folder!r},
           config={{"beta": 0.1, "max_steps": 30, "logging_steps": 10}})
wandb.log({{"train/loss": 0.5, "train/grad_norm": float("nan"), "train/global_step": 10}})
wandb.log({{"eval/loss": 0.25, "train/global_step": 10}})
wandb.finish()
"""
TRACKIO = """
import os
os.environ["TRACKIO_DIR"] = {folder!r}
import trackio
trackio.init(project="p", config={{"beta": 0.1, "max_steps": 30, "logging_steps": 10}})
trackio.log({{"train/loss": 0.5, "train/grad_norm": float("nan"), "train/global_step": 10}})
trackio.log({{"eval/loss": 0.25, "train/global_step": 10}})
trackio.finish()
"""


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@pytest.mark.parametrize(
    ("package", "script", "find"),
    [
        ("tensorboard", TENSORBOARD.replace("{module}", "torch.utils.tensorboard"), "*tfevents*"),
        ("tensorboardX", TENSORBOARD.replace("{module}", "tensorboardX"), "*tfevents*"),
        ("wandb", WANDB, "*.wandb"),
        ("trackio", TRACKIO, "*.db"),
    ],
)
def test_what_a_tracker_itself_writes_is_read(
    tmp_path: Path, package: str, script: str, find: str
) -> None:
    if not _installed(package):
        pytest.skip(f"{package} is not installed")
    program = script.format(folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
    [path] = tmp_path.rglob(find)
    recording = open_recording(path)
    run = recording.run
    assert (run.configuration["beta"], run.max_steps, run.logging_steps) == (0.1, 30, 10)
    rows = [each for each in recording.entries if isinstance(each, LoggedRow)]
    assert [(each.step, each.row.to_json()) for each in rows] == [
        (10, {"loss": 0.5, "grad_norm": "NaN"}),
        (10, {"eval_loss": 0.25}),
    ]


def test_no_reader_imports_what_it_reads() -> None:
    """A plain installation reads every format."""
    program = (
        "import sys\n"
        "import post_training_toolkit.engine.readers.choose\n"
        "print({'torch', 'tensorboard', 'wandb', 'trackio', 'pandas', 'river'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"
