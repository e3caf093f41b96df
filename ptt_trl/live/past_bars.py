"""Writes text where progress bars are drawn."""

from __future__ import annotations

import sys

from tqdm import tqdm


def write_past_bars(text: str) -> None:
    """Write text to stdout above the bars; what its encoding cannot say becomes "?"."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    tqdm.write(text.encode(encoding, "replace").decode(encoding), end="")
