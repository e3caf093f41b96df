"""Writes the reports of a run, each by itself, so that one that fails leaves the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.containment import Containment
from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.report.content import Report, compose
from post_training_toolkit.ptt_trl.report.markdown import render_markdown
from post_training_toolkit.ptt_trl.report.page import render_page
from post_training_toolkit.ptt_trl.report.plots import draw_plots
from post_training_toolkit.ptt_trl.report.reading import REPORTS, read_run

_MARKDOWN = "run_report.md"
_PAGE = "run_report.html"
_PLOTS = "plots"


def write_reports(
    folder: Path, containment: Containment, final: Mapping[str, Any] | None = None
) -> None:
    """Write the reports of a run directory from its files alone.

    ``final`` stands in for its final metadata while that is not on disk yet.
    """
    report = containment.run("report", lambda: compose(read_run(folder, final=final)))
    if report is None:
        return
    for part, write in WRITERS.items():
        containment.run(part, write, report, folder / REPORTS)


def write_markdown(report: Report, folder: Path) -> list[Path]:
    """Write the report as Markdown and return where it is; raises ``OSError``."""
    return [_write(folder / _MARKDOWN, render_markdown(report))]


def write_page(report: Report, folder: Path) -> list[Path]:
    """Write the report as an HTML page and return where it is; raises ``OSError``."""
    return [_write(folder / _PAGE, render_page(report))]


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write the charts of the report as pictures and return where they are."""
    return draw_plots(report, folder / _PLOTS)


# What there is of a report, the most important first, by the names of the parts.
WRITERS = {"report": write_markdown, "report page": write_page, "plots": write_plots}


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name of a file may hold bytes that are no text.
    write_atomically(path, text.encode("utf-8", "backslashreplace"))
    return path
