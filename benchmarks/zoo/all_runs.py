"""Every run of the zoo."""

from __future__ import annotations

from coverage_runs import runs as coverage_runs
from grpo_runs import runs as grpo_runs
from online_dpo_runs import runs as online_dpo_runs
from ppo_runs import runs as ppo_runs
from preference_runs import runs as preference_runs
from rloo_runs import runs as rloo_runs
from specification import RunSpecification
from supervised_runs import runs as supervised_runs


def all_runs() -> list[RunSpecification]:
    """Return the runs of every trainer, of both halves."""
    return [
        *supervised_runs(),
        *preference_runs(),
        *coverage_runs(),
        *grpo_runs(),
        *rloo_runs(),
        *online_dpo_runs(),
        *ppo_runs(),
    ]
