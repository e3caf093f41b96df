"""What a notebook shows is escaped, whatever stands in a message, and folds what is long."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

CODE = """
from dataclasses import replace
from post_training_toolkit.ptt_trl.live import live_face
from tests.ptt_trl.loss_spike_events import CLOSED, FIRED
face = live_face()
face.show(replace(FIRED, message="<script>alert(1)</script> & more", remediation=("a < b",)))
face.show(replace(FIRED, insight="loss_spike#2"))
face.show(CLOSED)
"""


@pytest.fixture(scope="module", name="blocks")
def _blocks() -> list[dict[str, str]]:
    """What a real kernel displays, by type of content."""
    cell = nbformat.v4.new_code_cell(CODE)  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    return [dict(each.data) for each in outputs if each.output_type == "display_data"]


def test_a_message_is_text_and_never_markup(blocks: list[dict[str, str]]) -> None:
    html = blocks[0]["text/html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert "<script" not in html


def test_remedies_and_sources_are_folded_and_told_once(blocks: list[dict[str, str]]) -> None:
    first, second, closed = (each["text/html"] for each in blocks)
    assert "<details><summary>What to do</summary><ul><li>a &lt; b</li></ul></details>" in first
    assert "<details><summary>Sources</summary><ul><li>Ann (2024)</li></ul></details>" in first
    assert "<details>" not in second
    assert "<code>loss_spike</code>" in second
    assert "resolved at step 36: loss_spike" in closed


def test_text_and_background_are_those_of_the_theme(blocks: list[dict[str, str]]) -> None:
    """Only the badge has colours of its own, and those of both text and background."""
    for block in blocks:
        html = block["text/html"]
        assert html.count("background") == html.count("; color: #fff")


def test_a_place_without_html_shows_text(blocks: list[dict[str, str]]) -> None:
    assert blocks[1]["text/plain"] == (
        "[ptt] MEDIUM at step 31: Loss jumps to 9 at step 31 (rule loss_spike)"
    )
