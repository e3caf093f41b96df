"""Every run of the zoo."""

from __future__ import annotations

from preference_runs import runs as preference_runs
from specification import RunSpecification
from supervised_runs import runs as supervised_runs


def all_runs() -> list[RunSpecification]:
    """Return the runs of every trainer, of both halves."""
    return [*supervised_runs(), *preference_runs()]
