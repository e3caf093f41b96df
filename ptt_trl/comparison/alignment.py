"""Where in a run a step is: what the runs of a comparison are laid over each other by."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.ptt_trl.report.series import Numbers, Steps

_TOKENS = "num_tokens"

Places = Callable[[Steps], Numbers]


class Alignment(StrEnum):
    """Optimizer steps, tokens seen as the trainer logs them, or per cent of the planned steps."""

    STEP = "step"
    TOKENS = "tokens"
    FRACTION = "fraction"

    @property
    def unit(self) -> str:
        """What stands before a place in a sentence."""
        return "per cent" if self is Alignment.FRACTION else str(self)


class AlignmentError(ValueError):
    """A run that cannot be aligned in the way that was asked for; the message says why."""


def places_of(run: NamedRun, alignment: Alignment) -> Places:
    """Return a function from steps of a run, in order, to places; NaN where there is none.

    A step has as many tokens as were logged last. Raises ``AlignmentError``.
    """
    match alignment:
        case Alignment.STEP:
            return lambda steps: steps.astype(np.float64)
        case Alignment.FRACTION:
            whole = max(run.record.run.max_steps or 0, run.record.log.last_step, 1)
            return lambda steps: 100 * steps / whole
        case Alignment.TOKENS:
            return _by_tokens(run)


def _by_tokens(run: NamedRun) -> Places:
    logged = run.series.get(_TOKENS)
    if logged is None:
        raise AlignmentError(
            f"{run.name}: this run did not log {_TOKENS}; align by step or fraction instead"
        )
    fallen = np.flatnonzero(~(np.diff(logged.values) >= 0))
    if len(fallen):
        step = int(logged.steps[fallen[0] + 1])
        raise AlignmentError(
            f"{run.name}: {_TOKENS} does not grow at step {step}, so that it says no place; "
            "align by step or fraction instead"
        )
    counts = np.concatenate(([np.nan], logged.values))
    return lambda steps: counts[np.searchsorted(logged.steps, steps, side="right")]
