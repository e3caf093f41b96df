"""What can be set of an analysis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """How episodes are measured and shown.

    ``waiting_tools`` may be asked again and again, such as one that polls a build, and
    ``final_tools`` are tools of your own that end an episode; both add to the known ones.
    ``examples`` is the number of episodes that an insight names.
    """

    waiting_tools: frozenset[str] = frozenset()
    final_tools: frozenset[str] = frozenset()
    examples: int = 5
