"""What a snapshot costs a run: in training steps, and as a share of the run that takes ten.

The same run is trained with snapshots and without them in turns in one process, and the ratio is
that of the median wall times. Run with ``make bench``; the table is kept in docs/snapshots.md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
# On models this small a second thread only waits for the first.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).resolve().parents[1] / "demo" / "scripts"))

import datasets
import torch
from tiny_language_model import build_tokenizer, supervised_dataset
from transformers import LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

from post_training_toolkit import DiagnosticsCallback

STEPS = 100
PAIRS = 3


def run(tokenizer: Any, *, snapshots: bool) -> tuple[float, Path]:
    """Train once; return the seconds that it took, and the folder of the run."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=4,
            num_attention_heads=4,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    folder = Path(tempfile.mkdtemp())
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder),
            max_steps=STEPS,
            per_device_train_batch_size=64,
            logging_steps=10,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=supervised_dataset(2_000, seed=0),
        processing_class=tokenizer,
        callbacks=[DiagnosticsCallback(snapshots=snapshots)],
    )
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began, folder / "ptt"


def logged(folder: Path, metric: str) -> list[float]:
    """Return what a run logged of a metric."""
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row["logs"][metric] for row in rows if metric in row.get("logs", {})]


def main() -> None:
    """Measure, and print a table in Markdown."""
    warnings.filterwarnings("ignore")
    datasets.disable_progress_bars()
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    took: dict[bool, list[float]] = {True: [], False: []}
    with redirect_stdout(sys.stderr):
        for _ in range(PAIRS):
            for snapshots in (False, True):
                seconds, folder = run(tokenizer, snapshots=snapshots)
                took[snapshots].append(seconds)
    snapshot = statistics.median(logged(folder, "snapshot/seconds"))
    step = statistics.median(logged(folder, "step_time/mean"))
    ratio = statistics.median(took[True]) / statistics.median(took[False])
    size = sum(path.stat().st_size for path in (folder / "snapshots").iterdir())
    print("| what | against | ratio | cost here |")
    print("|---|---|---|---|")
    print(f"| a snapshot | a training step | {snapshot / step:.1f} | {snapshot:.2f} s |")
    print(f"| a run of {STEPS} steps with 11 snapshots | the same run without | {ratio:.2f} | |")
    print(f"| the files of 11 snapshots | | | {size / 2**20:.2f} MiB |")


if __name__ == "__main__":
    main()
