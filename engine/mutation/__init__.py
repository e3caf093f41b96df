"""Mutation check of rules: every small change to a rule must make one of its tests fail."""

from post_training_toolkit.engine.mutation.mutants import Kind, Mutant, mutants_of
from post_training_toolkit.engine.mutation.score import (
    MutationScore,
    Verdict,
    judge_mutants,
    shipped_verdicts,
)

__all__ = [
    "Kind",
    "Mutant",
    "MutationScore",
    "Verdict",
    "judge_mutants",
    "mutants_of",
    "shipped_verdicts",
]
