"""Names files as a code host does: relative to where the command runs."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from post_training_toolkit.rules.problem import Problem
from post_training_toolkit.rules.sources import PACK_PREFIX


def relative_path(file: str) -> str | None:
    """Return the path from the working directory, with forward slashes; None for a shipped pack.

    A file outside the working directory keeps its absolute path.
    """
    if file.startswith(PACK_PREFIX):
        return None
    # Unlike Path.absolute this takes '..' away, and unlike Path.resolve it follows no links.
    path, here = Path(os.path.abspath(file)), Path.cwd()  # noqa: PTH100
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def uri(file: str) -> str:
    """Return the reference of a file: relative, or absolute outside the working directory."""
    path = relative_path(file)
    if path is None:
        return quote(file, safe=":")
    return Path(path).as_uri() if Path(path).is_absolute() else quote(path)


def sentence(problem: Problem) -> str:
    """Return the message with its rule, for places that show the file by themselves.

    >>> sentence(Problem("my.yaml", 3, 5, "a_rule", "unknown key 'treshold'"))
    "rule 'a_rule': unknown key 'treshold'"
    """
    return f"rule {problem.rule!r}: {problem.message}" if problem.rule else problem.message
