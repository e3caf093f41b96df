"""A training that dies in a cell of a notebook is explained while the kernel lives on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

DEMO = Path(__file__).parents[2] / "demo" / "scripts"
SETUP = """
import sys, warnings
sys.path.insert(0, {demo!r})
warnings.simplefilter("ignore")
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer
from post_training_toolkit import DiagnosticsCallback

tokenizer = build_tokenizer()

class Fails(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise ValueError("the third step is unlucky")

def build(output_dir, *callbacks):
    return DPOTrainer(
        model=build_model(tokenizer, seed=0), ref_model=build_model(tokenizer, seed=0),
        args=DPOConfig(output_dir=output_dir, max_steps=9, logging_steps=1, save_strategy="no",
                       report_to="none", use_cpu=True, bf16=False),
        train_dataset=preference_dataset(40, seed=1), processing_class=tokenizer,
        callbacks=list(callbacks),
    )
"""
CELLS = {
    "built with the callback": "build('built', DiagnosticsCallback(), Fails()).train()",
    "callback added later": (
        "trainer = build('added')\n"
        "trainer.add_callback(DiagnosticsCallback())\n"
        "trainer.add_callback(Fails())\n"
        "trainer.train()"
    ),
    "the kernel lives": "print('alive')",
}


@pytest.fixture(scope="module", name="notebook")
def _notebook(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Run the cells in one kernel, as a person does, and return its folder with the outputs."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [SETUP.format(demo=str(DEMO)), *CELLS.values()]
    new_cell, new_notebook = nbformat.v4.new_code_cell, nbformat.v4.new_notebook
    notebook = new_notebook(cells=[new_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=300, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder, notebook


@pytest.mark.parametrize("output_dir", ["built", "added"])
def test_a_cell_that_fails_has_a_postmortem(output_dir: str, notebook: tuple[Path, Any]) -> None:
    folder, executed = notebook
    assert executed.cells[-1].outputs[0]["text"] == "alive\n"
    run_dir = folder / output_dir / "ptt"
    postmortem = json.loads((run_dir / "postmortem.json").read_text())
    assert postmortem["exit_reason"] == "exception"
    assert postmortem["caught_by"] == "train"
    assert postmortem["error"] == "ValueError: the third step is unlucky"
    assert "in on_step_end" in postmortem["traceback"]
    assert postmortem["last_step"] == 3
    assert json.loads((run_dir / "run_metadata_final.json").read_text())["status"] == "crashed"


def test_the_cell_shows_how_it_ended(notebook: tuple[Path, Any]) -> None:
    _, executed = notebook
    shown = json.dumps(executed.cells[1].outputs)
    assert "crashed at step 3" in shown
    assert "The run died: ValueError: the third step is unlucky; post-mortem:" in shown
