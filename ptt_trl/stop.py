"""Decides whether, and how, an insight stops the training, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.distributed

from post_training_toolkit.engine.event import Event, InsightEscalated, InsightFired
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.suggestion import did_you_mean


class StopDecision(IntEnum):
    """What every rank does after a log; integers, since they travel through a tensor."""

    CONTINUE = 0
    SAVE_AND_STOP = 1
    STOP_WITHOUT_SAVING = 2


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Stops at the first insight that is at least so severe."""

    severity: Severity

    def choose(self, events: Iterable[Event]) -> InsightFired | InsightEscalated | None:
        """Return the most severe insight that demands a stop, fired or risen to that severity."""
        demanding = [
            event
            for event in events
            if isinstance(event, InsightFired | InsightEscalated)
            and event.severity.rank >= self.severity.rank
        ]
        return max(demanding, key=lambda event: event.severity.rank, default=None)


@dataclass(frozen=True, slots=True)
class StopOutcome:
    """How a stop went: what asked for it, and what can be gone back to.

    ``saved_checkpoint`` holds the state at the stop, ``last_good_checkpoint`` is the newest one
    from before the data that showed the trouble; None where there is none.
    """

    insight: str
    rule: str
    severity: str
    message: str
    fired_at_step: int
    ended_at_step: int
    weights_finite: bool
    saved_checkpoint: str | None
    last_good_checkpoint: str | None

    def __str__(self) -> str:
        """Say it in a few sentences."""
        text = (
            f"Stopped at step {self.ended_at_step} because stop_on asked for it: rule {self.rule} "
            f"({self.severity}) fired at step {self.fired_at_step}."
        )
        if self.saved_checkpoint:
            text += f" The state at the stop is in {self.saved_checkpoint}."
        elif not self.weights_finite:
            text += " Nothing was saved, because the weights are no longer finite."
        elif self.last_good_checkpoint:
            text += " Nothing was saved: save_total_limit would have deleted the last good one."
        if self.last_good_checkpoint:
            good = self.last_good_checkpoint
            return f"{text} The last checkpoint before the trouble is {good}."
        return f"{text} There is no checkpoint from before the trouble."


def parse_stop_on(stop_on: str | None) -> StopPolicy | None:
    """Return the policy for ``stop_on``; raises ``ValueError`` with a suggestion.

    >>> parse_stop_on("hihg")
    Traceback (most recent call last):
    ...
    ValueError: stop_on cannot be 'hihg'; did you mean 'high'?
    """
    if stop_on is None:
        return None
    try:
        return StopPolicy(Severity(stop_on))
    except ValueError:
        guess = did_you_mean(stop_on, Severity)
        raise ValueError(f"stop_on cannot be {stop_on!r}{guess}") from None


def is_distributed() -> bool:
    """Return whether several processes train together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def agree(decision: StopDecision, device: torch.device) -> StopDecision:
    """Return rank 0's decision on every rank; every rank must call this at the same step.

    Only rank 0 diagnoses. A rank that stopped alone would leave the others waiting for ever.
    """
    shared = torch.tensor([int(decision)], device=device)
    torch.distributed.broadcast(shared, src=0)
    return StopDecision(int(shared.item()))
