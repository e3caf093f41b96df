"""Chooses how insights are shown by where the run is looked at."""

from __future__ import annotations

import sys

from rich.console import Console
from transformers.utils import is_in_notebook

from post_training_toolkit.ptt_trl.live.face import Face, Medium
from post_training_toolkit.ptt_trl.live.panels import Panels
from post_training_toolkit.ptt_trl.live.plain_lines import PlainLines

# Below this the frame of a panel takes more than it gives.
_MIN_PANEL_WIDTH = 50


def live_face() -> Face:
    """Return the face for this process: a notebook's blocks, a terminal's panels, or lines."""
    return Face(_medium())


def _medium() -> Medium:
    # The same question by which transformers chooses its progress bar, so that both agree.
    if is_in_notebook():
        from post_training_toolkit.ptt_trl.live.notebook_blocks import NotebookBlocks

        return NotebookBlocks()
    return Panels() if _shows_panels() else PlainLines()


def _shows_panels() -> bool:
    # Asked of the stream itself: rich also takes FORCE_COLOR for a terminal, a log file does not.
    # There is no stream in a windowed program, and it may be closed in a daemon.
    if sys.stdout is None or sys.stdout.closed or not sys.stdout.isatty():
        return False
    console = Console()
    return not console.is_dumb_terminal and console.width >= _MIN_PANEL_WIDTH
