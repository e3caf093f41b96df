"""The notebook of the demo runs from top to bottom and shows what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "demo" / "notebooks" / "demo.ipynb"


def _read() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    assert isinstance(notebook, nbformat.NotebookNode)
    return notebook


class Shown:
    """What the cells of an executed notebook show, found by a piece of their source."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self._cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    def by(self, source: str, kind: str) -> str:
        """Return the outputs of one kind (a type of content, or "stream") of one cell."""
        [cell] = [cell for cell in self._cells if source in cell.source]
        return "\n".join(
            output.text if kind == "stream" else output.data.get(kind, "")
            for output in cell.outputs
            if (output.output_type == "stream") == (kind == "stream")
        )


@pytest.fixture(scope="module", name="shown")
def _shown() -> Shown:
    notebook = _read()
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources=folder).execute()
    return Shown(notebook)


def test_the_broken_run_is_diagnosed_below_the_table_of_the_trainer(shown: Shown) -> None:
    html = shown.by('train("broken"', "text/html")
    assert "Training Loss" in html
    [insight] = re.findall(r'<div class="ptt".*HIGH at step.*', html)
    assert "DPO loss is stuck where it started" in insight
    assert "<summary>What to do</summary>" in insight
    assert html.index("Training Loss") < html.index(insight)


def test_the_rule_of_the_user_fires_on_the_healthy_run_and_nothing_else_does(shown: Shown) -> None:
    html = shown.by('train("healthy"', "text/html")
    assert "<code>margin_is_large</code>" in html
    assert "1 insight: 1 low" in html
    assert "The sum is 5." in shown.by('train("healthy"', "stream")


def test_the_stop_names_its_rule_and_the_checkpoint(shown: Shown) -> None:
    text = shown.by('train("stopped"', "text/plain")
    assert re.search(
        r"Stopped at step \d+ because stop_on asked for it: rule dpo_loss_random", text
    )
    assert re.search(r"The state at the stop is in \S+/stopped/checkpoint-\d+\.", text)


def test_the_report_is_shown_inline(shown: Shown) -> None:
    report = shown.by("run_report.md", "text/markdown")
    assert report.startswith("# ")
    assert "**[HIGH]** DPO loss is stuck where it started" in report
    assert "stopped/ptt/run_metadata_final.json" in shown.by("rglob", "stream")


def test_it_is_kept_without_outputs() -> None:
    """Outputs would name the machine of whoever ran it last."""
    cells = _read().cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
